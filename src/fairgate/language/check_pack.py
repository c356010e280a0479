"""Check the meaning of a whole pack: names, types, references, and every expression."""

import graphlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from fairgate.domain.action import Action
from fairgate.domain.pack import Attribute, EventType, Feature, Pack, Place, Rule, Stage
from fairgate.language.check import check
from fairgate.language.checked import CheckedPack, CheckedRule, CheckedSegment, attr_of
from fairgate.language.declarations import Declarations
from fairgate.language.places import KEY
from fairgate.language.pointer import Pointer
from fairgate.language.problems import Problems, one_of
from fairgate.language.scope import Names
from fairgate.language.semantic import SemanticType
from fairgate.language.template import check_template
from fairgate.language.tree import Aggregate, Attr, FeatureRef, Kind, Node, RuleRef, aggregates, walk

#: Without these in its default segment a pack would have no price for an action.
DEFAULT_COSTS: Mapping[Action, tuple[float, float]] = MappingProxyType(
    {
        Action.ALLOW: (100.0, 0.0),
        Action.WATCH: (96.0, 0.3),
        Action.THROTTLE: (50.0, 2.0),
        Action.CHALLENGE: (25.0, 6.0),
        Action.HOLD: (8.0, 40.0),
        Action.SUSPEND: (3.0, 150.0),
        Action.BAN: (1.0, 400.0),
    }
)


def check_pack(pack: Pack, semantics: Mapping[str, SemanticType]) -> CheckedPack:
    """The pack with every expression typed; raises `PackError` with all faults found."""
    problems = Problems()
    declarations = Declarations(pack, semantics, Pointer(pack.files, problems))
    declarations.check()
    problems.raise_if_any(pack.files)  # the expressions would only repeat these faults
    checked = _PackChecker(declarations, problems).checked()
    problems.raise_if_any(pack.files)
    return checked


class _PackChecker:
    """Checks features, rules, segments and the source of a pack whose declarations are sound."""

    def __init__(self, declarations: Declarations, problems: Problems) -> None:
        self.pack = declarations.pack
        self.semantics = declarations.semantics
        self.declarations = declarations
        self.note = declarations.pointer.note
        self.problems = problems
        self.names = Names(
            self.pack.event_types,
            self.semantics,
            frozenset(self.pack.lists),
            feature_types={feature.name: feature.on for feature in self.pack.features},
        )

    def checked(self) -> CheckedPack:
        features = self.features()
        self.names = replace(
            self.names,
            features=features,
            rules={rule.name: rule.on for rule in self.pack.rules},
            broken=self.names.feature_types.keys() - features.keys(),
        )
        rules = self.in_order(tuple(self.rules()))
        self.source()
        segments = tuple(self.segments())
        return CheckedPack(self.pack, self.semantics, rules, segments, self.read(features, rules))

    def looks_at(self, what: str, item: Feature | Rule) -> bool:
        """Whether a feature's or rule's name is free and its event types are known."""
        self.declarations.free_name(what, item.name, item.place)
        if not item.on:
            self.note(item.place, ("on",), f"the {what} `{item.name}` looks at no event type", 'on = "account.signup"')
        for event_type in item.on:
            declared = self.pack.event_types.get(event_type)
            if declared is not None and declared.attribute(item.name) is not None:
                taken = f"`{item.name}` is an attribute of {event_type} already"
                self.note(item.place, (), taken, "choose another name")
        return self.declarations.all_exist(item.on, item.place, "on") and bool(item.on)

    def features(self) -> dict[str, Aggregate]:
        found: dict[str, Aggregate] = {}
        for feature in self.pack.features:
            aggregate = self.aggregate(feature) if self.looks_at("feature", feature) else None
            if aggregate is None:
                continue
            for other, same in found.items():
                if same.text == aggregate.text:
                    self.note(feature.place, ("value",), f"the feature `{other}` is the same", "use that one")
            found[feature.name] = aggregate
        return found

    def aggregate(self, feature: Feature) -> Aggregate | None:
        node = check(feature.value, feature.on, self.names, self.problems)
        if node is None or isinstance(node, FeatureRef):
            return node.aggregate if node else None
        hint = 'such as count("account.signup", by=ip, over="1h")'
        self.note(feature.place, ("value",), "a feature is one aggregate", hint)
        return None

    def rules(self) -> Iterable[CheckedRule]:
        for rule in self.pack.rules:
            if rule.name in self.names.feature_types:
                self.note(rule.place, (), f"`{rule.name}` is a feature already", "choose another name")
            if not self.looks_at("rule", rule):
                continue
            self.consequences(rule)
            by = self.canary_entity(rule)
            when = check(rule.when, rule.on, self.names, self.problems, expect=Kind.BOOL)
            if when is not None:
                why = check_template(rule.why, rule.on, when, self.names, self.problems) if rule.why else None
                yield CheckedRule(rule, when, why, by)

    def consequences(self, rule: Rule) -> None:
        if rule.reason and rule.reason not in self.pack.reasons:
            hint = one_of(rule.reason, self.pack.reasons)
            self.note(rule.place, ("reason",), f"there is no reason `{rule.reason}`", hint)
        if not rule.reason and (rule.actions or rule.score):
            hint = 'add reason = "code", with the code of a [[reason]]'
            self.note(rule.place, (), "a rule with a score or an action needs a reason", hint)
        if not math.isfinite(rule.score):
            self.note(rule.place, ("score",), "a score is a finite number")
        if rule.daily_cap is not None and rule.daily_cap < 0:
            self.note(rule.place, ("daily_cap",), "a daily cap is a number from 0 up")
        for event_type in rule.actions:
            if event_type not in rule.on:
                what = f"an action is given for {event_type}, which the rule does not look at"
                self.note(rule.place, ("action", event_type, KEY), what, one_of(event_type, rule.on))

    def canary_entity(self, rule: Rule) -> Attr | None:
        """The attribute a canary is drawn on: `by`, or the first entity that all event types of the rule share."""
        types = [self.pack.event_types[each] for each in rule.on]
        shared = [
            each
            for each in types[0].attributes
            if each.entity is not None and all(_has_entity(other, each) for other in types)
        ]
        if rule.by is None:
            if rule.mode.stage == Stage.CANARY and not shared:
                what = "a canary is drawn on an entity, and the event types of this rule share none"
                self.note(rule.place, ("mode",), what)
            return attr_of(shared[0].name, shared[0].type) if shared else None
        for each in shared:
            if each.name == rule.by:
                return attr_of(each.name, each.type)
        what = f"`{rule.by}` is no entity that all event types of this rule share"
        self.note(rule.place, ("by",), what, one_of(rule.by, [each.name for each in shared]))
        return None

    def in_order(self, rules: tuple[CheckedRule, ...]) -> tuple[CheckedRule, ...]:
        by_name = {each.rule.name: each for each in rules}
        # Sorted, because a set's order changes from process to process and the order of rules is recorded.
        graph = {each.rule.name: sorted(_named_rules(each.when) & by_name.keys()) for each in rules}
        try:
            return tuple(by_name[name] for name in graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            circle = error.args[1]
            what = f"these rules name each other in a circle: {' -> '.join(circle)}"
            self.note(by_name[circle[0]].rule.place, ("when",), what)
            return ()

    def segments(self) -> Iterable[CheckedSegment]:
        defaults = [each for each in self.pack.segments if each.when is None]
        if len(defaults) != 1 or self.pack.segments[-1] is not defaults[0]:
            wrong = (defaults or self.pack.segments)[-1:]
            what = "the last segment, and only that, has no `when`: it takes the rest"
            place = wrong[0].place if wrong else Place("pack.toml", 1, 1)
            self.note(place, (), what, 'end with [[segment]] name = "default"')
            return
        base = {**DEFAULT_COSTS, **defaults[0].costs}
        names = replace(self.names, event_only="a segment")
        for segment in self.pack.segments:
            when = None
            on = segment.on or tuple(self.pack.event_types)
            if self.declarations.all_exist(on, segment.place, "on") and segment.when is not None:
                when = check(segment.when, on, names, self.problems, expect=Kind.BOOL)
            for action, costs in segment.costs.items():
                if not all(0 <= cost < math.inf for cost in costs):
                    self.note(segment.place, ("costs", action.word), "costs are finite numbers from 0 up")
            costs_of = MappingProxyType({**base, **segment.costs})
            yield CheckedSegment(replace(segment, costs=costs_of), when)

    def source(self) -> None:
        for each in self.pack.source.events if self.pack.source else ():
            if not self.declarations.all_exist((each.type,), each.place, "type"):
                continue
            declared = self.pack.event_types[each.type].attributes
            names = [attribute.name for attribute in declared]
            for name in each.attributes:
                if name not in names:
                    what = f"{each.type} has no attribute `{name}`"
                    self.note(each.place, ("attributes", name, KEY), what, one_of(name, names))
            for attribute in declared:
                if attribute.required and attribute.name not in each.attributes:
                    what = f"the required attribute `{attribute.name}` of {each.type} is not mapped"
                    self.note(each.place, ("attributes",), what)

    def read(
        self, features: Mapping[str, Aggregate], rules: tuple[CheckedRule, ...]
    ) -> Mapping[str, Mapping[str, Aggregate]]:
        """For each event type what is recorded there: declared features first, then what its rules read besides."""
        found: dict[str, dict[str, Aggregate]] = {name: {} for name in self.pack.event_types}
        for feature in self.pack.features:
            for name in feature.on if feature.name in features else ():
                found[name][feature.name] = features[feature.name]
        for each in rules:
            nodes: list[Node] = [each.when, *(each.why.values if each.why else ())]
            for name in each.rule.on:
                known = {aggregate.text for aggregate in found[name].values()}
                for aggregate in (one for node in nodes for one in aggregates(node)):
                    if aggregate.text not in known:
                        found[name][aggregate.text] = aggregate
                        known.add(aggregate.text)
        return MappingProxyType(found)


def _has_entity(event_type: EventType, attribute: Attribute) -> bool:
    found = event_type.attribute(attribute.name)
    return found is not None and (found.type, found.entity) == (attribute.type, attribute.entity)


def _named_rules(node: Node) -> set[str]:
    return {each.name for each in walk(node) if isinstance(each, RuleRef)}
