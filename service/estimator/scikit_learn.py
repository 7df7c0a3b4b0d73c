"""What scikit-learn asks of a classifier; this file alone imports scikit-learn, when it is asked.

Only scikit-learn calls these functions, so it is installed then.
"""

from __future__ import annotations

from typing import Any


def make_tags(*, multi_label: bool) -> Any:
    """The tags of a trained classifier of texts, as ``sklearn.utils.Tags``."""
    from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

    return Tags(
        estimator_type="classifier",
        target_tags=TargetTags(required=False, multi_output=multi_label),
        classifier_tags=ClassifierTags(multi_label=multi_label),
        input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
        requires_fit=False,
    )
