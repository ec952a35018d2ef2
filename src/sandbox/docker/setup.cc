#include "sandbox/docker/setup.h"

#include <boost/json.hpp>

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

template <class T, class F>
Result<T> read(std::string_view text, const F& fill) {
  try {
    T value;
    const json::value document = json::parse(std::string(text));
    fill(document.as_object(), value);
    return value;
  } catch (const std::exception& problem) {  // of the parser, or of what is missing
    return fail(ErrorKind::invalid, std::string("a message of the set-up: ") + problem.what());
  }
}

std::string text_of(const json::value& value) { return std::string(value.as_string()); }

}  // namespace

std::string encode(const Setup& setup) {
  json::array points;
  for (const std::string& point : setup.mount_points) points.emplace_back(point);
  json::object object{{"workspace", setup.workspace},
                      {"job_id", setup.job_id},
                      {"read_only_root", setup.read_only_root},
                      {"mount_points", std::move(points)},
                      {"memory_group_version", setup.memory_group_version},
                      {"services", setup.services}};
  if (setup.service) object["service"] = *setup.service;
  return json::serialize(object);
}

Result<Setup> decode_setup(std::string_view text) {
  return read<Setup>(text, [](const json::object& object, Setup& setup) {
    setup.workspace = text_of(object.at("workspace"));
    setup.job_id = object.at("job_id").to_number<std::uint32_t>();
    setup.read_only_root = object.at("read_only_root").as_bool();
    for (const json::value& point : object.at("mount_points").as_array()) setup.mount_points.push_back(text_of(point));
    setup.memory_group_version = object.at("memory_group_version").to_number<int>();
    setup.services = object.at("services").to_number<std::size_t>();
    if (const json::value* service = object.if_contains("service")) setup.service = service->to_number<std::size_t>();
  });
}

std::string encode(const Contents& contents) {
  json::array trees;
  for (const Contents::Tree& tree : contents.trees) {
    json::array replaced;
    for (const auto& [path, content] : tree.replaced) replaced.push_back(json::array{path, content});
    trees.push_back(
        json::object{{"inside", tree.inside}, {"replaced", std::move(replaced)}, {"has_bundle", tree.has_bundle}});
  }
  return json::serialize(json::object{{"trees", std::move(trees)}});
}

Result<Contents> decode_contents(std::string_view text) {
  return read<Contents>(text, [](const json::object& object, Contents& contents) {
    for (const json::value& one : object.at("trees").as_array()) {
      Contents::Tree tree{text_of(one.at("inside")), {}, one.at("has_bundle").as_bool()};
      for (const json::value& pair : one.at("replaced").as_array()) {
        tree.replaced.emplace_back(text_of(pair.at(0)), text_of(pair.at(1)));
      }
      contents.trees.push_back(std::move(tree));
    }
  });
}

std::string encode(const Ready& ready) { return json::serialize(json::object{{"no_root_steps", ready.no_root_steps}}); }

std::string encode(const Error& error) {
  return json::serialize(json::object{{"error", error.what}, {"kind", static_cast<int>(error.kind)}});
}

Result<Ready> decode_ready(std::string_view text) {
  std::optional<Error> told;
  auto ready = read<Ready>(text, [&](const json::object& object, Ready& value) {
    if (const json::value* what = object.if_contains("error")) {
      const int kind = object.at("kind").to_number<int>();
      const bool known = kind >= 0 && kind <= static_cast<int>(ErrorKind::internal);
      told = Error{known ? static_cast<ErrorKind>(kind) : ErrorKind::internal, text_of(*what)};
    } else if (const json::value* why = object.if_contains("no_root_steps")) {
      value.no_root_steps = text_of(*why);
    }
  });
  if (told) return std::unexpected(*told);
  return ready;
}

}  // namespace slipway::sandbox::docker
