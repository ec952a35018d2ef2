#include "main/event_file.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "model/trust.h"
#include "os/files.h"

namespace slipway::program {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostEventBytes = 4U << 20U;

struct TextKey {
  const char* name;
  std::string model::Event::* member;
};
constexpr std::array kTexts = {
    TextKey{"branch", &model::Event::branch}, TextKey{"tag", &model::Event::tag},
    TextKey{"sha", &model::Event::sha},       TextKey{"default_branch", &model::Event::default_branch},
    TextKey{"action", &model::Event::action}, TextKey{"actor", &model::Event::actor},
    TextKey{"repo", &model::Event::repo},     TextKey{"schedule", &model::Event::schedule},
};

std::unexpected<Error> wrong(std::string_view key, std::string_view wanted, const json::value& found) {
  return fail(ErrorKind::invalid, fmt::format("`{}` is {}, not {}", key, wanted, json::serialize(found)));
}

Result<std::string> text_of(const json::object& object, const char* key, std::string_view shown) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return std::string();
  if (!value->is_string()) return wrong(shown, "a text", *value);
  return std::string(value->get_string());
}

constexpr std::string_view kPullRequestKeys[] = {"number", "title", "base", "head", "fork"};

// What is said of a pull request decides who gets secrets: a slip of the pen must not.
Result<void> check_keys(const json::object& pull_request) {
  const std::vector<std::string> known(std::begin(kPullRequestKeys), std::end(kPullRequestKeys));
  for (const auto& [key, value] : pull_request) {
    const std::string name(key);
    if (std::ranges::find(known, name) != known.end()) continue;
    if (const auto near = nearest(name, known)) {
      return fail(ErrorKind::invalid,
                  fmt::format("`pr.{}` has no meaning: did you mean `{}`?", printable(name, Colour::strip), *near));
    }
  }
  return {};
}

Result<model::PullRequest> pull_request_of(const json::value& value) {
  if (!value.is_object()) return wrong("pr", "an object with number, title, base, head, fork", value);
  const json::object& fields = value.get_object();
  SW_CHECK(check_keys(fields));
  model::PullRequest request;
  if (const json::value* number = fields.if_contains("number"); number != nullptr) {
    boost::system::error_code bad;
    request.number = number->is_number() ? number->to_number<int>(bad) : -1;
    if (bad || request.number < 0) return wrong("pr.number", "a pull request's number", *number);
  }
  SW_TRY(request.title, text_of(fields, "title", "pr.title"));
  SW_TRY(request.base, text_of(fields, "base", "pr.base"));
  SW_TRY(request.head, text_of(fields, "head", "pr.head"));
  if (const json::value* fork = fields.if_contains("fork"); fork != nullptr) {
    if (!fork->is_bool()) return wrong("pr.fork", "true or false", *fork);
    request.fork = fork->get_bool();
  }
  return request;
}

Result<std::map<std::string, std::string>> inputs_of(const json::value& value) {
  if (!value.is_object()) return wrong("inputs", "an object", value);
  std::map<std::string, std::string> inputs;
  for (const auto& [key, input] : value.get_object()) {
    if (input.is_object() || input.is_array()) {
      return wrong("inputs." + std::string(key), "a text, a number, true or false", input);
    }
    if (input.is_null()) continue;
    inputs[std::string(key)] = input.is_string() ? std::string(input.get_string()) : json::serialize(input);
  }
  return inputs;
}

Result<std::vector<std::string>> files_of(const json::value& value) {
  if (!value.is_array()) return wrong("changed_files", "a list of paths", value);
  std::vector<std::string> files;
  for (const json::value& file : value.get_array()) {
    if (!file.is_string()) return wrong("changed_files", "a list of paths", file);
    files.emplace_back(file.get_string());
  }
  return files;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys = {"event", "pr", "pull_request", "inputs", "changed_files"};
  for (const TextKey& text : kTexts) keys.emplace_back(text.name);
  return keys;
}

}  // namespace

Result<EventFile> EventFile::read(const std::filesystem::path& path) {
  SW_TRY(std::string text, os::read_stream(path, kMostEventBytes));
  return parse(std::move(text), path.string());
}

Result<EventFile> EventFile::parse(std::string payload, const std::string& from) {
  EventFile file;
  file.text_ = std::move(payload);
  SW_TRY(const json::object object, parse_object(file.text_, from));
  const auto read = [&]() -> Result<void> {
    SW_TRY(const std::string kind, text_of(object, "event", "event"));
    file.kind_ = model::event_kind_of(kind);
    if (!kind.empty() && !file.kind_) {
      return fail(ErrorKind::invalid,
                  fmt::format("unknown event `{}`: there is push, pull_request, tag, schedule, manual, api",
                              printable(kind, Colour::strip)));
    }
    for (const TextKey& text : kTexts) {
      SW_TRY(file.said_.*text.member, text_of(object, text.name, text.name));
      if (object.contains(text.name)) file.texts_.emplace_back(text.name);
    }
    for (const char* key : {"pr", "pull_request"}) {
      if (const json::value* value = object.if_contains(key); value != nullptr && !value->is_null()) {
        // The second would take back what the first says of a fork.
        if (file.said_.pull_request)
          return fail(ErrorKind::invalid, "`pr` and `pull_request` are two names of one thing: leave one out");
        SW_TRY(file.said_.pull_request, pull_request_of(*value));
      }
    }
    if (const json::value* value = object.if_contains("inputs"); value != nullptr) {
      SW_TRY(file.said_.inputs, inputs_of(*value));
    }
    if (const json::value* value = object.if_contains("changed_files"); value != nullptr) {
      SW_TRY(file.said_.changed_files, files_of(*value));
    }
    return {};
  };
  if (auto done = read(); !done) return wrap(std::move(done).error(), from);
  const std::vector<std::string> known = known_keys();
  for (const auto& [key, value] : object) {
    const std::string name(key);
    if (std::ranges::find(known, name) != known.end()) continue;
    const auto near = nearest(name, known);
    file.warnings_.push_back(fmt::format("{}: `{}` has no meaning here, only jobs see it{}", from,
                                         printable(name, Colour::strip),
                                         near ? fmt::format(": did you mean `{}`?", *near) : ""));
  }
  return file;
}

model::Trust EventFile::trust() const { return model::trust_of(said_); }

void EventFile::apply_to(model::Event& event) const {
  for (const TextKey& text : kTexts) {
    if (std::ranges::find(texts_, text.name) != texts_.end()) event.*text.member = said_.*text.member;
  }
  if (said_.pull_request) event.pull_request = said_.pull_request;
  event.inputs = said_.inputs;
  if (said_.changed_files) event.changed_files = said_.changed_files;
  event.json = text_;
}

}  // namespace slipway::program
