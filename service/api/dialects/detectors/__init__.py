"""The dialect of detectors, which orchestrators of guardrails call."""
