#include "wire/expression_json.h"

#include <array>

#include "base/scope_exit.h"

namespace slipway::wire {

namespace {

constexpr int kMaxExpressionDepth = 32;

constexpr std::array<std::pair<std::string_view, model::BinaryOperator>, 9> kBinary = {{
    {"&&", model::BinaryOperator::logical_and},
    {"||", model::BinaryOperator::logical_or},
    {"==", model::BinaryOperator::equal},
    {"!=", model::BinaryOperator::not_equal},
    {"<", model::BinaryOperator::less},
    {"<=", model::BinaryOperator::less_equal},
    {">", model::BinaryOperator::greater},
    {">=", model::BinaryOperator::greater_equal},
    {"in", model::BinaryOperator::in},
}};

json::value literal_to_json(const model::Value& value) {
  return std::visit(Overloaded{
                        [](std::nullptr_t) -> json::value { return nullptr; },
                        [](bool flag) -> json::value { return flag; },
                        [](double number) -> json::value { return number; },
                        [](const std::string& text) -> json::value { return json::value(json::string(text)); },
                        [](const model::ValueList& items) -> json::value {
                          json::array list;
                          for (const model::Value& item : items) list.push_back(literal_to_json(item));
                          return list;
                        },
                    },
                    value.data);
}

model::Value literal_from_json(const json::value& value, std::string* problem, int depth) {
  if (depth > kMaxExpressionDepth || value.is_object()) {
    if (problem->empty()) *problem = "a literal of a condition is broken";
    return {};
  }
  if (value.is_null()) return {nullptr};
  if (const bool* flag = value.if_bool()) return {*flag};
  if (value.is_number()) return {value.to_number<double>()};
  if (const json::string* text = value.if_string()) return {std::string(text->data(), text->size())};
  model::ValueList items;
  for (const json::value& item : value.get_array()) items.push_back(literal_from_json(item, problem, depth + 1));
  return {std::move(items)};
}

json::array list_to_json(const std::vector<model::ExpressionPtr>& items) {
  json::array list;
  for (const model::ExpressionPtr& item : items) list.push_back(to_json_value(*item));
  return list;
}

std::vector<model::ExpressionPtr> list_from_json(const json::array& items, std::string* problem, int depth) {
  std::vector<model::ExpressionPtr> list;
  for (const json::value& item : items) list.push_back(expression_from_json(item, problem, depth + 1));
  return list;
}

}  // namespace

json::value to_json_value(const model::Expression& expression) {
  json::object object;
  object["text"] = expression.text;
  if (!expression.place.file.empty()) object["file"] = expression.place.file;
  if (expression.place.line != 0) object["line"] = expression.place.line;
  if (expression.place.column != 0) object["column"] = expression.place.column;
  std::visit(Overloaded{
                 [&](const model::Literal& node) { object["literal"] = literal_to_json(node.value); },
                 [&](const model::Name& node) { object["name"] = to_json_array(node.path); },
                 [&](const model::Unary& node) { object["not"] = to_json_value(*node.operand); },
                 [&](const model::Binary& node) {
                   for (const auto& [word, op] : kBinary) {
                     if (op == node.op) object["binary"] = json::string(word.data(), word.size());
                   }
                   object["left"] = to_json_value(*node.left);
                   object["right"] = to_json_value(*node.right);
                 },
                 [&](const model::Call& node) {
                   object["call"] = node.function;
                   object["arguments"] = list_to_json(node.arguments);
                 },
                 [&](const model::ListOf& node) { object["list"] = list_to_json(node.items); },
             },
             expression.node);
  return object;
}

model::ExpressionPtr expression_from_json(const json::value& value, std::string* problem, int depth) {
  const json::object* object = value.if_object();
  if (object == nullptr || depth > kMaxExpressionDepth) {
    if (problem->empty()) *problem = object == nullptr ? "a condition is broken" : "a condition is nested too deeply";
    return nullptr;
  }
  const Fields fields(*object, problem);
  model::Expression expression{model::Literal{}, {}, fields.text("text")};
  expression.place = {fields.text("file"), static_cast<int>(fields.integer("line")),
                      static_cast<int>(fields.integer("column"))};
  if (const json::value* literal = object->if_contains("literal")) {
    expression.node = model::Literal{literal_from_json(*literal, problem, depth + 1)};
  } else if (fields.find("name") != nullptr) {
    expression.node = model::Name{fields.texts("name")};
  } else if (const json::value* operand = fields.find("not")) {
    expression.node = model::Unary{model::UnaryOperator::negate, expression_from_json(*operand, problem, depth + 1)};
  } else if (fields.find("binary") != nullptr && fields.find("left") != nullptr && fields.find("right") != nullptr) {
    model::Binary binary{model::BinaryOperator::equal, expression_from_json(*fields.find("left"), problem, depth + 1),
                         expression_from_json(*fields.find("right"), problem, depth + 1)};
    const std::string word = fields.text("binary");
    const auto* found =
        std::find_if(kBinary.begin(), kBinary.end(), [&](const auto& entry) { return entry.first == word; });
    if (found == kBinary.end()) {
      fields.refuse("binary", "an operator");
    } else {
      binary.op = found->second;
    }
    expression.node = std::move(binary);
  } else if (fields.find("call") != nullptr) {
    model::Call call{fields.text("call"), {}};
    if (const json::array* arguments = fields.array("arguments"))
      call.arguments = list_from_json(*arguments, problem, depth);
    expression.node = std::move(call);
  } else if (const json::array* items = fields.array("list")) {
    expression.node = model::ListOf{list_from_json(*items, problem, depth)};
  } else if (problem->empty()) {
    *problem = "a condition is broken";
  }
  return problem->empty() ? std::make_shared<const model::Expression>(std::move(expression)) : nullptr;
}

}  // namespace slipway::wire
