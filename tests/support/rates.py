"""Rates of API keys that the command and the file refuse."""

REFUSED_RATES = (
    "0",
    "0.0",
    "-1",
    "fast",
    "inf",
    "nan",
    "1e-7",
    "1e13",
    "5e-324",
    "",
    "1_0",
    "+1",
    "\u0661",
)
