"""Messages call objects what they are."""

import pytest

from e2egraph.config import as_dict
from e2egraph.tasks.objects.naming import ANY_OBJECT, object_name
from e2egraph.tasks.task import load_task


@pytest.mark.parametrize(("task", "one", "two"), [("top", "1 jet", "2 jets"), ("egamma", "1 cluster", "2 clusters")])
def test_objects_have_the_name_of_their_kind(task, one, two):
    name = object_name(as_dict(load_task(task)))
    assert (name.count(1), name.count(2)) == (one, two)


def test_a_configuration_without_objects_has_objects_of_any_kind():
    assert object_name({}) == ANY_OBJECT
    assert ANY_OBJECT.count(0) == "0 objects"
