// Any text as an expression and as a template: parsed or refused with a place inside the text, and what is parsed can
// be evaluated.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "definition/expression_parser.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto place_of = definition::on_one_line(model::Place{.file = "fuzz", .line = 1, .column = 1});
  model::Scope scope;
  scope.values["branch"] = model::Value{std::string("main")};
  scope.values["run.number"] = model::Value{7.0};
  scope.values["item"] = model::Value{model::ValueList{model::Value{true}, model::Value{std::string("a")}}};
  scope.endings["build"] = model::Ending::failed;

  const auto expression = definition::parse_expression(text, place_of);
  if (const auto* error = std::get_if<definition::SyntaxError>(&expression)) {
    if (error->offset > size || error->message.empty()) std::abort();
  } else {
    model::Trace trace;
    (void)model::evaluate(*std::get<model::ExpressionPtr>(expression), scope, trace);  // an error is an answer too
  }
  const auto whole = definition::parse_template(text, place_of);
  if (const auto* error = std::get_if<definition::SyntaxError>(&whole)) {
    if (error->offset > size || error->message.empty()) std::abort();
  } else {
    (void)model::expand(std::get<model::Template>(whole), scope);  // an error is an answer too
  }
  return 0;
}
