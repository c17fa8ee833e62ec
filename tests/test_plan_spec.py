"""Every setting of a plan is checked before any work."""

from __future__ import annotations

import pytest

from softwidth._checks import ArgumentError
from softwidth.plan_spec import PlanSpec, parse_widths


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"widths": "3:9"}, r"`widths` \(=3\) must be even"),
        ({"widths": [2, 7]}, r"`widths` \(=7\) must be even"),
        ({"widths": [4, 2]}, r"`widths` .* must rise"),
        ({"widths": []}, r"`widths` .* at least one"),
        ({"widths": "narrow"}, r"`widths` \(=narrow\) must be a list"),
        ({"widths": 5}, r"`widths` \(=5\)"),
        ({"seeds": 0}, r"`seeds` \(=0\)"),
        ({"seeds": "five"}, r"`seeds` \(=five\)"),
        ({"seeds": 2.5}, r"`seeds` \(=2.5\)"),
        ({"tolerance": -0.1}, r"`tolerance` \(=-0.1\)"),
        ({"tolerance": float("nan")}, r"`tolerance` \(=nan\)"),
        ({"budget": 0}, r"`budget` \(=0.0\)"),
        ({"noise": None}, r"`noise` \(=None\)"),
        ({"step_sizes": [1.0, -1.0]}, r"`step_sizes` \(=-1.0\)"),
        ({"student_rows": 0}, r"`student_rows` \(=0\)"),
        ({"teacher": "wise"}, "did you mean 'wide'"),
        ({"regime": "in-sampel"}, "did you mean 'in-sample'"),
        ({"regime": "larger-data"}, "needs `student_rows`"),
        ({"tolerence": 0.1}, "did you mean 'tolerance'"),
        ({"pair": [1, 2, 3]}, r"`pair`"),
        ({"metric": "ERROR"}, "`metric`"),
        ({"reference": "teachers"}, "did you mean 'teacher'"),
        ({"rounds": -1}, r"`rounds` \(=-1\)"),
    ],
)
def test_bad_setting_is_named_with_its_value(settings, says):
    with pytest.raises(ArgumentError, match=says):
        PlanSpec.of(settings)


def test_spec_survives_json():
    spec = PlanSpec.of({"widths": "2:64", "positive": [1, 3], "budget": 30, "seeds": 2})
    again = PlanSpec.of(spec.model_dump(mode="json"))
    assert again == spec
    assert again.positive == ("1", "3")


def test_a_range_is_where_the_search_begins_and_a_list_is_all_of_it():
    begun, fixed = PlanSpec.of({"widths": "2:8"}), PlanSpec.of({"widths": "2,4,8"})
    assert begun.first_widths == fixed.first_widths == (2, 4, 8)
    assert (begun.fixed, fixed.fixed) == (False, True)


@pytest.mark.parametrize(
    ("text", "widths"),
    [("2:2", (2,)), ("2:3", (2,)), ("4:40", (4, 8, 16, 32)), (" 6 , 10", (6, 10))],
)
def test_widths_from_text(text, widths):
    assert parse_widths(text) == widths
