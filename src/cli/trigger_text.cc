#include "cli/trigger_text.h"

#include <boost/json.hpp>

#include "base/json.h"

namespace slipway::cli {

namespace {

namespace json = boost::json;

std::string either(const json::object& object, std::string_view first, std::string_view second) {
  std::string text = text_at(object, first);
  return text.empty() ? text_at(object, second) : text;
}

}  // namespace

std::vector<AskedFor> read_trigger(const std::string& text) {
  std::vector<AskedFor> asked;
  const auto trigger = parse_object(text, "");
  if (!trigger) return asked;
  json::array jobs{*trigger};
  if (const json::value* list = trigger->if_contains("jobs"); list != nullptr && list->is_array())
    jobs = list->get_array();
  for (const json::value& entry : jobs) {
    if (!entry.is_object()) continue;
    const json::object& object = entry.get_object();
    AskedFor job{either(object, "job_name", "name"), either(object, "job_command", "run")};
    if (job.name.empty()) continue;
    asked.push_back(std::move(job));
  }
  return asked;
}

}  // namespace slipway::cli
