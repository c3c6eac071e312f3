from collections.abc import Callable
from typing import Any

from seatrial.render import Source, sources
from seatrial.render.pods import pod_template

PATCH = {
    "spec": {
        "containers": [
            {
                "name": "app",
                "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "single", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "all"}}],
            }
        ],
        "initContainers": [{"name": "init", "image": "i", "envFrom": [{"configMapRef": {"name": "early"}}]}],
        "volumes": [
            {"name": "a", "configMap": {"name": "files", "optional": True}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "part"}}, {"secret": {"name": "s"}}]}},
            {"name": "c", "secret": {"secretName": "files"}},
        ],
    }
}
SPEC = {"envFrom": [{"configMapRef": {"name": "flags"}}, {"secretRef": {"name": "flags"}}], "podTemplate": PATCH}


def test_every_place_that_names_a_config_map_is_found(make: Callable[..., Any]) -> None:
    template = make(SPEC).revisions[1].spec.template
    assert sources(template) == (
        Source("all", optional=False),
        Source("early", optional=False),
        Source("files", optional=True),
        Source("flags", optional=False),
        Source("part", optional=False),
        Source("single", optional=False),
    )


def test_a_config_map_is_optional_only_where_all_places_say_so(make: Callable[..., Any]) -> None:
    ref = {"name": "flags", "optional": True}
    spec = {
        "envFrom": [{"configMapRef": ref}],
        "podTemplate": {"spec": {"volumes": [{"name": "v", "configMap": {"name": "flags"}}]}},
    }
    assert sources(make(spec).revisions[1].spec.template) == (Source("flags", optional=False),)
    alone = make({"envFrom": [{"configMapRef": ref}]})
    assert sources(alone.revisions[1].spec.template) == (Source("flags", optional=True),)


def test_pods_read_the_copies_and_never_the_originals(make: Callable[..., Any]) -> None:
    found = [s.name for s in sources(make(SPEC).revisions[1].spec.template)]
    copies = [{"source": name, "copyName": f"orders-{name}-1", "hash": "1"} for name in found if name != "files"]
    text = repr(pod_template(make(SPEC, revisions={1: {"configs": copies}}).revisions[1]))
    for name in found:
        assert f"'name': '{name}'" not in text.replace(f"'secretRef': {{'name': '{name}'}}", "")


def test_an_optional_config_map_that_was_missing_stays_missing_for_its_revision(make: Callable[..., Any]) -> None:
    pod = pod_template(make(SPEC).revisions[1])
    volume = next(v for v in pod["spec"]["volumes"] if "configMap" in v)
    assert volume["configMap"] == {"name": "orders-files-absent", "optional": True}


def test_secrets_of_the_same_name_are_left_alone(make: Callable[..., Any]) -> None:
    copies = [{"source": "files", "copyName": "orders-files-1", "hash": "1"}]
    pod = pod_template(make(SPEC, revisions={1: {"configs": copies}}).revisions[1])
    assert pod["spec"]["volumes"][3] == {"name": "c", "secret": {"secretName": "files"}}
