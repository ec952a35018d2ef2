#include "model/expression.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "model/instances.h"

namespace slipway::model {

namespace {

constexpr std::size_t kMaxExpandedBytes = 1U << 20U;
constexpr std::size_t kMaxShownValue = 80;  // of a value in a trace

std::string where(const Place& place) {
  return place.line > 0 ? fmt::format("{}:{}:{}: ", place.file, place.line, place.column) : std::string();
}

std::unexpected<Error> fail_at(const Expression& expression, std::string what) {
  return fail(ErrorKind::invalid, where(expression.place) + std::move(what));
}

std::string number_text(double number) {
  // Whole numbers that a double holds exactly are written as such: 17, never 1.7e+01.
  constexpr double kExact = 9007199254740992.0;
  if (std::trunc(number) == number && std::abs(number) < kExact) {
    return fmt::format("{}", static_cast<std::int64_t>(number));
  }
  return fmt::format("{}", number);
}

// As a trace shows it: strings in quotes, cut where they are long.
std::string shown(const Value& value) {
  return std::visit(Overloaded{
                        [](std::nullptr_t) { return std::string("null"); },
                        [](bool flag) { return std::string(flag ? "true" : "false"); },
                        [](double number) { return number_text(number); },
                        [](const std::string& text) {
                          const bool cut = text.size() > kMaxShownValue;
                          return fmt::format("\"{}\"{}", text.substr(0, kMaxShownValue), cut ? "..." : "");
                        },
                        [](const ValueList& list) {
                          std::vector<std::string> items;
                          for (const Value& item : list) items.push_back(shown(item));
                          return fmt::format("[{}]", join(items, ", "));
                        },
                    },
                    value.data);
}

std::string path_text(const Name& name) { return join(name.path, "."); }

bool is_open_output(const Name& name, const Scope& scope) {
  return name.path.size() == 3 && name.path[0] == "outputs" && scope.values.contains(open_outputs(name.path[1]));
}

bool is_null(const Value& value) { return std::holds_alternative<std::nullptr_t>(value.data); }

}  // namespace

std::string_view type_name(const Value& value) {
  static constexpr std::array<std::string_view, 5> kNames = {"null", "boolean", "number", "string", "list"};
  return kNames[value.data.index()];
}

Result<std::string> to_text(const Value& value) {
  if (is_null(value)) return fail(ErrorKind::invalid, "null cannot be put into text: use default(VALUE, OTHER)");
  if (std::holds_alternative<ValueList>(value.data)) return fail(ErrorKind::invalid, "a list cannot be put into text");
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  return shown(value);
}

bool Template::is_literal() const {
  return std::ranges::all_of(parts, [](const Part& part) { return part.expression == nullptr; });
}

std::string Template::literal() const {
  SW_ASSERT(is_literal(), "the text of a template with expressions is known only after expand()");
  std::string text;
  for (const Part& part : parts) text += part.text;
  return text;
}

Template Template::of(std::string text, Place place) {
  Template made;
  if (!text.empty()) made.parts.push_back({std::move(text), nullptr});
  made.place = std::move(place);
  return made;
}

bool is_status_function(std::string_view name) {
  return name == "success" || name == "failed" || name == "all_success" || name == "any_failed" || name == "always" ||
         name == "cancelled";
}

namespace {

/// One walk over an expression; the parser's limits bound the depth of the recursion.
class Evaluator {
 public:
  Evaluator(const Scope& scope, Trace& trace) : scope_(scope), trace_(trace) {}

  Result<Value> value_of(const Expression& expression) {
    return std::visit(Overloaded{
                          [](const Literal& literal) -> Result<Value> { return literal.value; },
                          [&](const Name& name) { return name_value(expression, name); },
                          [&](const Unary& unary) { return negated(unary); },
                          [&](const Binary& binary) { return binary_value(expression, binary); },
                          [&](const Call& call) { return call_value(expression, call); },
                          [&](const ListOf& list) { return list_value(list); },
                      },
                      expression.node);
  }

  /// As value_of, for a place where only a boolean makes sense. A name asked for as such is worth a trace line.
  Result<bool> truth_of(const Expression& expression) {
    SW_TRY(const Value value, value_of(expression));
    const bool* flag = std::get_if<bool>(&value.data);
    if (flag == nullptr) {
      return fail_at(expression, fmt::format("`{}` is a {}, not true or false", expression.text, type_name(value)));
    }
    const bool named = std::holds_alternative<Name>(expression.node) ||
                       (std::holds_alternative<Literal>(expression.node) && expression.text != shown(value));
    if (named) note(expression, shown(value));
    return *flag;
  }

 private:
  void note(const Expression& expression, std::string outcome) {
    trace_.push_back({expression.text, std::move(outcome)});
  }

  Result<Value> name_value(const Expression& expression, const Name& name) {
    const auto found = scope_.values.find(path_text(name));
    if (found == scope_.values.end() && is_open_output(name, scope_))
      return Value{fmt::format("<{}>", path_text(name))};
    if (found == scope_.values.end())
      return fail_at(expression, path_text(name).starts_with("outputs.")
                                     ? fmt::format("`{}` was not set by its job", path_text(name))
                                     : fmt::format("`{}` is not known here", path_text(name)));
    return found->second;
  }

  Result<Value> negated(const Unary& unary) {
    SW_TRY(const bool flag, truth_of(*unary.operand));
    return Value{!flag};
  }

  Result<Value> list_value(const ListOf& list) {
    ValueList values;
    for (const ExpressionPtr& item : list.items) {
      SW_TRY(Value value, value_of(*item));
      values.push_back(std::move(value));
    }
    return Value{std::move(values)};
  }

  Result<Value> binary_value(const Expression& expression, const Binary& binary) {
    if (binary.op == BinaryOperator::logical_and || binary.op == BinaryOperator::logical_or) {
      SW_TRY(const bool left, truth_of(*binary.left));
      if (left == (binary.op == BinaryOperator::logical_or)) return Value{left};
      SW_TRY(const bool right, truth_of(*binary.right));
      return Value{right};
    }
    SW_TRY(const Value left, value_of(*binary.left));
    SW_TRY(const Value right, value_of(*binary.right));
    SW_TRY(const bool outcome, compared(expression, binary.op, left, right));
    note(expression, (outcome ? "true" : "false") + known_operands({{*binary.left, left}, {*binary.right, right}}));
    return Value{outcome};
  }

  // ` (branch is "dev")`, for operands whose value cannot be read from the text.
  static std::string known_operands(std::initializer_list<std::pair<const Expression&, const Value&>> operands) {
    std::vector<std::string> known;
    for (const auto& [expression, value] : operands) {
      const bool literal = std::holds_alternative<Literal>(expression.node);
      const bool written = std::holds_alternative<ListOf>(expression.node) ||
                           (literal && (expression.text == shown(value) || expression.text.starts_with('\'') ||
                                        expression.text.starts_with('"')));
      if (!written) known.push_back(fmt::format("{} is {}", expression.text, shown(value)));
    }
    return known.empty() ? std::string() : fmt::format(" ({})", join(known, ", "));
  }

  static Result<bool> equal(const Expression& expression, const Value& left, const Value& right) {
    if (left.data.index() != right.data.index() && !is_null(left) && !is_null(right)) {
      return fail_at(expression, fmt::format("`{}` compares a {} with a {}: nothing is converted", expression.text,
                                             type_name(left), type_name(right)));
    }
    return left == right;
  }

  static Result<bool> compared(const Expression& expression, BinaryOperator op, const Value& left, const Value& right) {
    if (op == BinaryOperator::equal) return equal(expression, left, right);
    if (op == BinaryOperator::not_equal) {
      SW_TRY(const bool same, equal(expression, left, right));
      return !same;
    }
    if (op == BinaryOperator::in) {
      const auto* list = std::get_if<ValueList>(&right.data);
      if (list == nullptr) {
        return fail_at(expression, fmt::format("`in` needs a list on its right, not a {}", type_name(right)));
      }
      for (const Value& item : *list) {
        SW_TRY(const bool same, equal(expression, left, item));
        if (same) return true;
      }
      return false;
    }
    return in_order(expression, op, left, right);
  }

  static Result<bool> in_order(const Expression& expression, BinaryOperator op, const Value& left, const Value& right) {
    const auto ask = [op](const auto& a, const auto& b) {
      switch (op) {
        case BinaryOperator::less: return a < b;
        case BinaryOperator::less_equal: return a <= b;
        case BinaryOperator::greater: return a > b;
        default: return a >= b;
      }
    };
    if (left.data.index() == right.data.index()) {
      if (const auto* a = std::get_if<double>(&left.data)) return ask(*a, std::get<double>(right.data));
      if (const auto* a = std::get_if<std::string>(&left.data)) return ask(*a, std::get<std::string>(right.data));
    }
    return fail_at(expression,
                   fmt::format("`{}` compares a {} with a {}: only two numbers or two strings have an order",
                               expression.text, type_name(left), type_name(right)));
  }

  Result<Value> call_value(const Expression& expression, const Call& call) {
    if (is_status_function(call.function)) {
      SW_TRY(const bool outcome, status(expression, call));
      note(expression, std::string(outcome ? "true" : "false") + status_reason(call));
      return Value{outcome};
    }
    if (call.function == "default") return default_value(expression, call);
    SW_TRY(const std::vector<Value> arguments, values_of(call));
    if (call.function == "contains") return contains(expression, call, arguments);
    SW_TRY(const std::vector<std::string> texts, strings(expression, call, arguments));
    SW_TRY(Value value, text_function(expression, call, texts));
    const bool first_is_value = call.function != "hash" && call.function != "changed";
    note(expression, shown(value) + (first_is_value ? known_operands({{*call.arguments[0], arguments[0]}}) : ""));
    return value;
  }

  Result<std::vector<Value>> values_of(const Call& call) {
    std::vector<Value> values;
    for (const ExpressionPtr& argument : call.arguments) {
      SW_TRY(Value value, value_of(*argument));
      values.push_back(std::move(value));
    }
    return values;
  }

  static Result<std::vector<std::string>> strings(const Expression& expression, const Call& call,
                                                  const std::vector<Value>& values) {
    std::vector<std::string> texts;
    for (const Value& value : values) {
      const auto* text = std::get_if<std::string>(&value.data);
      if (text == nullptr) {
        return fail_at(expression, fmt::format("{}() takes strings, not a {}", call.function, type_name(value)));
      }
      texts.push_back(*text);
    }
    return texts;
  }

  Result<Value> text_function(const Expression& expression, const Call& call, const std::vector<std::string>& texts) {
    const std::string& name = call.function;
    const bool of_source = name == "hash" || name == "changed";
    const bool of_two = name == "starts_with" || name == "ends_with";
    if (!of_source && !of_two && name != "glob") return fail_at(expression, fmt::format("no function `{}`", name));
    if (texts.size() < (of_source ? 1U : 2U) || (of_two && texts.size() > 2)) {
      return fail_at(expression, fmt::format("{}() has a wrong number of arguments: {}", name, texts.size()));
    }
    if (name == "starts_with") return Value{texts[0].starts_with(texts[1])};
    if (name == "ends_with") return Value{texts[0].ends_with(texts[1])};
    if (name == "glob") return Value{matches_filters({texts.begin() + 1, texts.end()}, texts[0])};
    if (scope_.facts == nullptr) return fail_at(expression, fmt::format("{}() cannot be asked here", name));
    if (name == "changed") return Value{scope_.facts->changed(texts).value_or(true)};
    auto digest = scope_.facts->hash(texts);
    if (!digest) return fail(digest.error().kind, where(expression.place) + digest.error().what);
    return Value{std::move(*digest)};
  }

  Result<Value> contains(const Expression& expression, const Call& call, const std::vector<Value>& arguments) {
    if (arguments.size() != 2) return fail_at(expression, "contains() takes a string or list, and what it may contain");
    bool outcome = false;
    if (std::holds_alternative<ValueList>(arguments[0].data)) {
      SW_TRY(outcome, compared(expression, BinaryOperator::in, arguments[1], arguments[0]));
    } else {
      SW_TRY(const std::vector<std::string> texts, strings(expression, call, arguments));
      outcome = texts[0].find(texts[1]) != std::string::npos;
    }
    note(expression, shown(Value{outcome}) + known_operands({{*call.arguments[0], arguments[0]}}));
    return Value{outcome};
  }

  Result<Value> default_value(const Expression& expression, const Call& call) {
    if (call.arguments.size() != 2) return fail_at(expression, "default() takes a value and what stands for it");
    const Expression& wanted = *call.arguments[0];
    const auto* name = std::get_if<Name>(&wanted.node);
    if (name == nullptr || scope_.values.contains(path_text(*name)) || is_open_output(*name, scope_)) {
      SW_TRY(Value value, value_of(wanted));
      if (!is_null(value)) return value;
    }
    return value_of(*call.arguments[1]);
  }

  Result<bool> status(const Expression& expression, const Call& call) {
    if (call.function == "always") return true;
    const bool asks_cancelled = call.function == "cancelled";
    if (asks_cancelled && call.arguments.empty()) return scope_.cancelled;
    const bool asks_success = call.function == "success" || call.function == "all_success";
    const Ending wanted = asks_cancelled ? Ending::cancelled : asks_success ? Ending::succeeded : Ending::failed;
    std::vector<Ending> asked;
    for (const ExpressionPtr& argument : call.arguments) {
      SW_TRY(const Ending ending, ending_of_argument(expression, *argument));
      asked.push_back(ending);
    }
    if (call.arguments.empty()) {
      for (const auto& [name, ending] : scope_.endings) asked.push_back(ending);
    }
    if (scope_.cancelled) return false;
    const auto is_wanted = [wanted](Ending ending) { return ending == wanted; };
    return asks_success ? std::ranges::all_of(asked, is_wanted) : std::ranges::any_of(asked, is_wanted);
  }

  Result<Ending> ending_of_argument(const Expression& expression, const Expression& argument) {
    std::string asked;
    if (const auto* name = std::get_if<Name>(&argument.node)) {
      asked = path_text(*name);
    } else {
      SW_TRY(const Value value, value_of(argument));
      const auto* text = std::get_if<std::string>(&value.data);
      if (text == nullptr) return fail_at(expression, fmt::format("a name cannot be a {}", type_name(value)));
      asked = *text;
    }
    const auto found = scope_.endings.find(asked);
    if (found == scope_.endings.end()) {
      return fail_at(expression, fmt::format("`{}` is not among what this depends on", asked));
    }
    return found->second;
  }

  // ` (lint failed)`: what did not succeed, which is what a reader wants to know.
  std::string status_reason(const Call& call) const {
    if (call.function == "always") return {};
    if (scope_.cancelled) return " (being cancelled)";
    if (call.function == "cancelled" && call.arguments.empty()) return {};
    constexpr std::array<std::string_view, 4> kEndings = {"succeeded", "failed", "was cancelled", "was skipped"};
    constexpr std::size_t kMostNamed = 5;
    std::vector<std::string> named;
    for (const auto& [name, ending] : scope_.endings) {
      if (ending == Ending::succeeded || named.size() == kMostNamed) continue;
      named.push_back(fmt::format("{} {}", name, kEndings[static_cast<std::size_t>(ending)]));
    }
    return named.empty() ? std::string() : fmt::format(" ({})", join(named, ", "));
  }

  const Scope& scope_;
  Trace& trace_;
};

ExpressionPtr with_node(const Expression& like, decltype(Expression::node) node) {
  return std::make_shared<const Expression>(Expression{std::move(node), like.place, like.text});
}

std::vector<ExpressionPtr> simplify_all(const std::vector<ExpressionPtr>& expressions, const Scope& scope) {
  std::vector<ExpressionPtr> simple;
  simple.reserve(expressions.size());
  for (const ExpressionPtr& expression : expressions) simple.push_back(simplify(expression, scope));
  return simple;
}

ExpressionPtr simplify_call(const Expression& expression, const Call& call, const Scope& scope) {
  // Arguments of success() and failed() are names of jobs or steps, never values of the scope.
  if (is_status_function(call.function)) return with_node(expression, call);
  Call simple{call.function, simplify_all(call.arguments, scope)};
  ExpressionPtr made = with_node(expression, std::move(simple));
  if (call.function != "hash" && call.function != "changed") return made;
  Trace unused;
  const auto value = evaluate(*made, scope, unused);
  return value ? with_node(expression, Literal{*value}) : made;
}

template <class F>
void walk(const Expression& expression, const F& visit) {
  visit(expression);
  std::visit(Overloaded{
                 [](const Literal&) {},
                 [](const Name&) {},
                 [&](const Unary& unary) { walk(*unary.operand, visit); },
                 [&](const Binary& binary) {
                   walk(*binary.left, visit);
                   walk(*binary.right, visit);
                 },
                 [&](const Call& call) {
                   for (const ExpressionPtr& argument : call.arguments) walk(*argument, visit);
                 },
                 [&](const ListOf& list) {
                   for (const ExpressionPtr& item : list.items) walk(*item, visit);
                 },
             },
             expression.node);
}

template <class F>
bool calls_any(const Expression& expression, const F& wanted) {
  bool found = false;
  walk(expression, [&](const Expression& part) {
    const auto* call = std::get_if<Call>(&part.node);
    found = found || (call != nullptr && wanted(call->function));
  });
  return found;
}

}  // namespace

Result<Value> evaluate(const Expression& expression, const Scope& scope, Trace& trace) {
  return Evaluator(scope, trace).value_of(expression);
}

Result<bool> holds(const Expression& condition, const Scope& scope, Trace& trace) {
  return Evaluator(scope, trace).truth_of(condition);
}

Result<std::string> expand(const Template& text, const Scope& scope) {
  std::string expanded;
  for (const Template::Part& part : text.parts) {
    if (part.expression == nullptr) {
      expanded += part.text;
    } else {
      Trace unused;
      SW_TRY(const Value value, evaluate(*part.expression, scope, unused));
      auto shown_text = to_text(value);
      if (!shown_text)
        return fail_at(*part.expression, fmt::format("`{}`: {}", part.expression->text, shown_text.error().what));
      expanded += *shown_text;
    }
    if (expanded.size() > kMaxExpandedBytes)
      return fail(ErrorKind::exhausted, where(text.place) + "the text grows over 1 MiB");
  }
  return expanded;
}

ExpressionPtr simplify(const ExpressionPtr& expression, const Scope& scope) {
  if (expression == nullptr) return nullptr;
  return std::visit(
      Overloaded{
          [&](const Literal&) { return expression; },
          [&](const Name& name) {
            const auto found = scope.values.find(path_text(name));
            return found == scope.values.end() ? expression : with_node(*expression, Literal{found->second});
          },
          [&](const Unary& unary) { return with_node(*expression, Unary{unary.op, simplify(unary.operand, scope)}); },
          [&](const Binary& binary) {
            return with_node(*expression,
                             Binary{binary.op, simplify(binary.left, scope), simplify(binary.right, scope)});
          },
          [&](const Call& call) { return simplify_call(*expression, call, scope); },
          [&](const ListOf& list) { return with_node(*expression, ListOf{simplify_all(list.items, scope)}); },
      },
      expression->node);
}

bool calls_status_function(const Expression& expression) { return calls_any(expression, is_status_function); }

bool may_hold_when_cancelled(const Expression& expression) {
  return calls_any(expression, [](std::string_view name) { return name == "always" || name == "cancelled"; });
}

std::vector<std::string> names_in(const Expression& expression) {
  std::vector<std::string> names;
  walk(expression, [&](const Expression& part) {
    if (const auto* name = std::get_if<Name>(&part.node)) names.push_back(path_text(*name));
  });
  return names;
}

std::string open_outputs(const std::string& job) { return fmt::format("outputs.{}.*", job); }

bool asks_open_outputs(const Template& text, const Scope& scope) {
  bool found = false;
  for (const Template::Part& part : text.parts) {
    if (part.expression == nullptr) continue;
    walk(*part.expression, [&](const Expression& inner) {
      const auto* name = std::get_if<Name>(&inner.node);
      found = found || (name != nullptr && is_open_output(*name, scope));
    });
  }
  return found;
}

}  // namespace slipway::model
