#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/expression.h"

namespace slipway::definition {

/// What is wrong with an expression, and where in its text.
struct SyntaxError {
  std::string_view code;  ///< E022, E025 or E007
  std::string message;
  std::string hint;
  std::size_t offset = 0;  ///< bytes from the beginning of the text that was given
};

/// Where in its file a byte of the text stands.
using PlaceOf = std::function<model::Place(std::size_t offset)>;
/// For text that stands in one line, beginning at `start`.
PlaceOf on_one_line(model::Place start);

/// An expression, by falling precedence: `( )` · `!` · `== != < <= > >= in` (not chained) · `&&` · `||`.
///
///     expression = and { "||" and }             and   = comparison { "&&" comparison }
///     comparison = unary [ operator unary ]     unary = "!" unary | primary
///     primary    = "(" expression ")" | "[" [ list ] "]" | text | number | "true" | "false" | "null"
///                | name | function "(" [ list ] ")"                   list = expression { "," expression }
///
/// Text stands in '...' or "..."; a backslash keeps a quote or backslash, \n and \t are line end and tab.
/// A name is words with dots between; a word may hold `-`. Status functions may do without parentheses, and
/// `success(build)` names a job without quotes. Functions and their arity are checked here, other names are not.
std::variant<model::ExpressionPtr, SyntaxError> parse_expression(std::string_view text, const PlaceOf& place_of);

/// Text with `{{ expression }}` in it. A literal `{{` is written as an expression: `{{ "{{" }}`.
std::variant<model::Template, SyntaxError> parse_template(std::string_view text, const PlaceOf& place_of);

/// The names of all functions, with how each is called: for the reference.
struct FunctionDoc {
  std::string_view name, usage, doc;
  std::size_t least, most;  ///< arguments
};
const std::vector<FunctionDoc>& functions();

}  // namespace slipway::definition
