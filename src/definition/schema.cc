#include "definition/schema.h"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "definition/keys.h"
#include "definition/limits.h"

namespace slipway::definition {

namespace {

namespace json = boost::json;
using Kind = Shape::Kind;

constexpr std::string_view kNoExpression = R"(^(?![\s\S]*\{\{))";
constexpr std::string_view kExpressionInside = R"(\{\{[\s\S]*\}\})";
constexpr std::string_view kNamePattern =
    R"(^(?!-)[A-Za-z0-9_.\-\u0080-\uffff]([A-Za-z0-9_. \-\u0080-\uffff]*[A-Za-z0-9_.\-\u0080-\uffff])?$)";
constexpr std::string_view kIdentifierPattern = "^[A-Za-z_][A-Za-z0-9_]*$";
constexpr std::string_view kDurationPattern = "^(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
constexpr std::string_view kSizePattern = R"(^[0-9]+(\.[0-9]+)?([kMGT]|[KMGT]i)B?$)";
constexpr std::string_view kCpuPattern = R"(^[0-9]+(\.[0-9]+)?m?$)";

json::object pattern(std::string_view regex) { return {{"type", "string"}, {"pattern", regex}}; }

json::object any_of(std::initializer_list<json::object> forms) {
  json::array list;
  for (const json::object& form : forms) list.push_back(form);
  return {{"anyOf", std::move(list)}};
}

// A text may also be written as a plain number or boolean: it is taken as it is written.
json::object text_schema(const Shape& shape) {
  json::object text =
      shape.templates == Shape::Templates::allowed ? json::object{{"type", "string"}} : pattern(kNoExpression);
  text["maxLength"] = kMaxTextLength;
  text["type"] = json::array{"string", "number", "boolean"};
  return text;
}

/// The object of each context stands once, below $defs; everything else is written where it is used.
class SchemaWriter {
 public:
  json::object whole() {
    for (const Context* context : contexts()) definitions_[def_name(*context)] = object_schema(*context);
    json::object root = std::move(definitions_[def_name(kFileContext)].as_object());
    definitions_.erase(def_name(kFileContext));
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    root["title"] = "Slipway workflow or job";
    root["oneOf"] = json::array{json::object{{"required", json::array{"workflow"}}},
                                json::object{{"required", json::array{"job"}}}};
    root["$defs"] = std::move(definitions_);
    return root;
  }

 private:
  static std::string def_name(const Context& context) {
    return &context == &kJobFileContext ? "job_file" : std::string(context.name);
  }

  json::object object_schema(const Context& context) {
    json::object properties;
    json::array required;
    for_each_key(context, [&](const Key& key) {
      json::object value = schema_of(*key.shape);
      value["description"] =
          key.standard.empty() ? std::string(key.doc) : fmt::format("{} (without it: {})", key.doc, key.standard);
      properties[key.name] = value;
      if (!key.alias.empty()) {
        value["deprecated"] = true;
        properties[key.alias] = value;
      }
      // An alias may stand for the key, which `required` cannot say.
      if (key.required && key.alias.empty()) required.emplace_back(key.name);
    });
    json::object made{{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
    if (!context.doc.empty()) made["description"] = context.doc;
    if (!required.empty()) made["required"] = std::move(required);
    return made;
  }

  json::object schema_of(const Shape& shape) {
    json::object made = without_null(shape);
    return shape.may_be_empty ? any_of({std::move(made), {{"type", "null"}}}) : made;
  }

  json::object without_null(const Shape& shape) {
    switch (shape.kind) {
      case Kind::list: return list_schema(shape);
      case Kind::map: return map_schema(shape);
      case Kind::object: return {{"$ref", "#/$defs/" + def_name(*shape.context)}};
      case Kind::any_of: {
        json::array forms;
        for (const Shape* form : shape.forms) forms.push_back(schema_of(*form));
        return {{"anyOf", std::move(forms)}};
      }
      case Kind::opaque: return {};
      default: return scalar_schema(shape);
    }
  }

  static json::object late(const Shape& shape, json::object plain) {
    return shape.templates == Shape::Templates::allowed ? any_of({std::move(plain), pattern(kExpressionInside)})
                                                        : plain;
  }

  static json::object scalar_schema(const Shape& shape) {
    switch (shape.kind) {
      case Kind::name: {
        json::object name = pattern(kNamePattern);
        name["maxLength"] = kMaxNameLength;
        name["type"] = json::array{"string", "number", "boolean"};
        return name;
      }
      case Kind::identifier: return pattern(kIdentifierPattern);
      case Kind::expression: return {{"type", json::array{"string", "boolean"}}, {"maxLength", kMaxExpressionLength}};
      case Kind::boolean: return late(shape, {{"type", "boolean"}});
      case Kind::integer: return late(shape, {{"type", "integer"}, {"minimum", shape.least}, {"maximum", shape.most}});
      case Kind::cpu: return late(shape, any_of({{{"type", "number"}, {"exclusiveMinimum", 0}}, pattern(kCpuPattern)}));
      case Kind::size: return late(shape, pattern(kSizePattern));
      case Kind::duration: return late(shape, pattern(kDurationPattern));
      case Kind::value: return {{"type", json::array{"string", "number", "boolean", "null"}}};
      case Kind::choice: {
        json::array choices;
        for (const std::string_view choice : shape.choices) choices.emplace_back(choice);
        return {{"enum", std::move(choices)}};
      }
      case Kind::cron:
      case Kind::timezone: return {{"type", "string"}};
      default: return text_schema(shape);
    }
  }

  json::object list_schema(const Shape& shape) {
    json::object list{{"type", "array"}, {"items", schema_of(*shape.item)}, {"maxItems", most_of(shape)}};
    if (shape.least > 0) list["minItems"] = shape.least;
    return shape.one_alone ? any_of({schema_of(*shape.item), std::move(list)}) : list;
  }

  json::object map_schema(const Shape& shape) {
    json::object map{
        {"type", "object"}, {"additionalProperties", schema_of(*shape.item)}, {"maxProperties", most_of(shape)}};
    if (shape.least > 0) map["minProperties"] = shape.least;
    if (shape.names != nullptr) {
      json::object names = scalar_schema(*shape.names);
      names.erase("type");
      map["propertyNames"] = std::move(names);
    }
    return map;
  }

  static std::size_t most_of(const Shape& shape) {
    return shape.most > 0 ? static_cast<std::size_t>(shape.most) : kMaxItems;
  }

  json::object definitions_;
};

}  // namespace

std::string schema() { return json::serialize(SchemaWriter().whole()) + "\n"; }

}  // namespace slipway::definition
