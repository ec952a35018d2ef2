// What starts a workflow, and what it asks for: the part of Values that reads `on`, inputs and params.
#include <fmt/format.h>

#include "base/text.h"
#include "definition/limits.h"
#include "definition/scalars.h"
#include "definition/values.h"

namespace slipway::definition {

namespace {

constexpr std::array<std::string_view, 4> kTypeNames = {"string", "number", "boolean", "choice"};

void read_filters(model::Trigger& trigger, const Context& context, Node* node) {
  const Fields fields(context, node);
  const auto filter = [&](std::string_view key) {
    return find_key(context, key) == nullptr ? std::vector<std::string>() : texts_of(fields.get(key));
  };
  trigger.branches = filter("branches");
  trigger.tags = filter("tags");
  trigger.paths = filter("paths");
  trigger.events = filter("events");
}

}  // namespace

std::optional<model::Value> Values::value_for(const model::InputDefinition& declared, Node& node,
                                              std::string_view code) {
  using Type = model::InputDefinition::Type;
  const auto wrong = [&](std::string message, std::string hint = {}) -> std::optional<model::Value> {
    source_.report(node, code, std::move(message), std::move(hint));
    return std::nullopt;
  };
  const model::Value value = value_of(node);
  const std::string shown = node.text.substr(0, kMaxNameLength);
  switch (declared.type) {
    case Type::string: return model::Value{node.text};
    case Type::number:
      if (std::holds_alternative<double>(value.data)) return value;
      return wrong(fmt::format("`{}` is not a number", shown), node.plain ? "" : "without quotes");
    case Type::boolean:
      if (std::holds_alternative<bool>(value.data)) return value;
      return wrong(fmt::format("`{}` is not true or false", shown), node.plain ? "" : "without quotes");
    case Type::choice:
      if (std::ranges::find(declared.options, node.text) != declared.options.end()) return model::Value{node.text};
      std::string near = source_.suggestion(shown, declared.options);
      return wrong(fmt::format("`{}` is not one of the options", shown),
                   near.empty() ? fmt::format("it may be {}", join(declared.options, ", ")) : std::move(near));
  }
  return std::nullopt;
}

model::InputDefinition Values::input_of(Node* node) {
  using Type = model::InputDefinition::Type;
  model::InputDefinition input;
  if (node->kind != Node::Kind::mapping) return input;
  const Context& context = *find_key(kTemplateContext, "params")->shape->item->context;
  const Fields fields(context, node);
  input.options = texts_of(fields.get("options"));
  input.description = text_of(fields.get("description"));
  input.required = boolean_of(fields.get("required"), false);
  if (Node* type = fields.get("type")) {
    input.type = static_cast<Type>(std::ranges::find(kTypeNames, type->text) - kTypeNames.begin());
  } else if (!input.options.empty()) {
    input.type = Type::choice;
  }
  if (input.type == Type::choice && input.options.empty()) {
    source_.report(*node, "E043", "a choice needs `options`", "as `options: [staging, production]`");
  } else if (input.type != Type::choice && !input.options.empty()) {
    source_.report(*node, "E043", "only a choice has `options`", "write `type: choice`");
  } else if (Node* standard = fields.get("default")) {
    input.default_value = value_for(input, *standard, "E043");
  }
  return input;
}

model::Named<model::InputDefinition> Values::inputs_of(Node* node) {
  model::Named<model::InputDefinition> inputs;
  if (node == nullptr) return inputs;
  for (const Node::Entry& entry : node->entries) {
    if (!entry.key->bad && !entry.value->bad) inputs.emplace_back(entry.key->text, input_of(entry.value));
  }
  return inputs;
}

std::vector<model::Trigger> Values::triggers_of(Node* node) {
  std::vector<model::Trigger> triggers;
  if (node == nullptr) return triggers;
  if (node->kind != Node::Kind::mapping) {
    for (const Node* item : items_of(node)) {
      if (const auto kind = model::event_kind_of(item->text))
        triggers.push_back({.event = *kind, .place = place(*item)});
    }
    return triggers;
  }
  const Context& on = *find_key(kWorkflowContext, "on")->shape->forms[2]->context;
  for (const Node::Entry& entry : node->entries) {
    const auto kind = model::event_kind_of(entry.key->text);
    if (!kind || entry.key->bad || entry.value->bad) continue;
    model::Trigger trigger;
    trigger.event = *kind;
    trigger.place = place(*entry.key);
    const Shape& shape = *find_key(on, entry.key->text)->shape;
    if (*kind == model::EventKind::schedule) {
      for (Node* item : items_of(entry.value)) {
        const Fields fields(*shape.item->context, item);
        model::Schedule schedule;
        schedule.cron = text_of(fields.get("cron"));
        if (Node* zone = fields.get("timezone")) schedule.timezone = zone->text;
        trigger.schedules.push_back(std::move(schedule));
      }
    } else {
      Node* filters = entry.value->kind == Node::Kind::mapping ? entry.value : nullptr;
      read_filters(trigger, *shape.context, filters);
      if (find_key(*shape.context, "inputs") != nullptr)
        trigger.inputs = inputs_of(Fields(*shape.context, filters).get("inputs"));
    }
    triggers.push_back(std::move(trigger));
  }
  return triggers;
}

}  // namespace slipway::definition
