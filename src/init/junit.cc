#include "init/junit.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include <expat.h>

#include "base/text.h"

namespace slipway::init {

namespace {

struct Free {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<XML_ParserStruct, Free>;

std::string_view attribute(const XML_Char** attributes, std::string_view name) {
  for (; attributes != nullptr && *attributes != nullptr; attributes += 2) {
    if (name == attributes[0]) return attributes[1];
  }
  return {};
}

// Never through the middle of a character: the parser gives UTF-8, which it has checked.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

// Seconds; `1,234.5` is written by some.
Duration duration_of(std::string_view text) {
  std::string plain;
  std::ranges::copy_if(text, std::back_inserter(plain), [](char c) { return c != ','; });
  double seconds = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), seconds);
  constexpr double kMost = 1e7;
  if (error != std::errc() || !(seconds > 0) || seconds > kMost) return Duration(0);
  return Duration(static_cast<std::int64_t>(seconds * 1e6));
}

// A file being read. Handlers are called by a C library: they only append to strings and vectors.
class Reading {
 public:
  Reading(const JunitLimits& limits, std::vector<model::TestResult>& results)
      : limits_(limits), results_(results), parser_(XML_ParserCreate("UTF-8")) {
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(
        parser_.get(),
        [](void* self, const XML_Char* name, const XML_Char** attributes) {
          static_cast<Reading*>(self)->begin(name, attributes);
        },
        [](void* self, const XML_Char* name) { static_cast<Reading*>(self)->end(name); });
    XML_SetCharacterDataHandler(parser_.get(), [](void* self, const XML_Char* text, int length) {
      static_cast<Reading*>(self)->text({text, static_cast<std::size_t>(length)});
    });
    XML_SetStartDoctypeDeclHandler(parser_.get(),
                                   [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
                                     static_cast<Reading*>(self)->stop("a document type declaration is refused");
                                   });
  }

  std::optional<JunitProblem> read(std::string_view xml) {
    constexpr std::size_t kPiece = 1U << 20U;
    for (bool last = false; !last;) {
      const std::string_view piece = xml.substr(0, kPiece);
      xml.remove_prefix(piece.size());
      last = xml.empty();
      if (XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()), last ? 1 : 0) != XML_STATUS_OK) break;
    }
    if (problem_) return problem_;
    if (const XML_Error error = XML_GetErrorCode(parser_.get()); error != XML_ERROR_NONE) {
      return JunitProblem{XML_ErrorString(error), line()};
    }
    return std::nullopt;
  }

 private:
  int line() const { return static_cast<int>(XML_GetCurrentLineNumber(parser_.get())); }

  void stop(std::string why) {
    if (!problem_) problem_ = JunitProblem{std::move(why), line()};
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  void begin(std::string_view name, const XML_Char** attributes) {
    if (++depth_ > limits_.depth) return stop("elements are nested too deeply");
    if (depth_ == 1 && name != "testsuites" && name != "testsuite") return stop("not a JUnit file");
    if (name == "testsuite") {
      suites_.emplace_back(cut(attribute(attributes, "name"), limits_.name));
    } else if (name == "testcase" && !current_) {
      begin_case(attributes);
    } else if (current_ && depth_ == case_depth_ + 1) {
      begin_detail(name, attributes);
    }
  }

  void begin_case(const XML_Char** attributes) {
    if (results_.size() >= limits_.cases) {
      return stop("there are more test results than are kept: the rest is left out");
    }
    current_.emplace();
    case_depth_ = depth_;
    printed_.clear();
    const std::string_view class_name = attribute(attributes, "classname");
    current_->suite = !class_name.empty() ? cut(class_name, limits_.name)
                      : suites_.empty()   ? std::string_view()
                                          : std::string_view(suites_.back());
    current_->name = cut(attribute(attributes, "name"), limits_.name);
    if (current_->name.empty()) current_->name = "(no name)";
    current_->took = duration_of(attribute(attributes, "time"));
  }

  void begin_detail(std::string_view name, const XML_Char** attributes) {
    const std::string_view message = cut(attribute(attributes, "message"), limits_.message);
    if (name == "failure" || name == "error") {
      current_->outcome = model::TestOutcome::failed;
      if (current_->message.empty()) current_->message = message;
      into_ = &current_->text;
    } else if (name == "skipped" && current_->outcome == model::TestOutcome::passed) {
      current_->outcome = model::TestOutcome::skipped;
      current_->message = message;
      into_ = &reason_;
    } else if (name == "system-out" || name == "system-err") {
      into_ = &printed_;
    }
  }

  void text(std::string_view piece) {
    if (into_ == nullptr || into_->size() >= limits_.text) return;
    into_->append(cut(piece, limits_.text - into_->size()));
  }

  void end(std::string_view name) {
    if (name == "testsuite" && !suites_.empty()) suites_.pop_back();
    if (current_ && depth_ == case_depth_ + 1) into_ = nullptr;
    if (current_ && depth_ == case_depth_) end_case();
    --depth_;
  }

  void end_case() {
    model::TestResult& test = *current_;
    if (test.outcome == model::TestOutcome::failed) {
      test.text = std::string(trim(test.text));
      if (const std::string_view printed = trim(printed_); !printed.empty()) {
        if (!test.text.empty()) test.text += "\n";
        test.text += cut(printed, limits_.text - std::min(test.text.size(), limits_.text));
      }
      if (test.message.empty())
        test.message = cut(std::string_view(test.text).substr(0, test.text.find('\n')), limits_.first_line);
    } else if (test.outcome == model::TestOutcome::skipped && test.message.empty()) {
      test.message = cut(trim(reason_), limits_.message);
    }
    results_.push_back(std::move(test));
    current_.reset();
    reason_.clear();
  }

  const JunitLimits& limits_;
  std::vector<model::TestResult>& results_;
  Parser parser_;
  std::vector<std::string> suites_;
  std::optional<model::TestResult> current_;
  std::size_t depth_ = 0, case_depth_ = 0;
  std::string printed_, reason_;
  std::string* into_ = nullptr;
  std::optional<JunitProblem> problem_;
};

}  // namespace

std::optional<JunitProblem> parse_junit(std::string_view xml, const JunitLimits& limits,
                                        std::vector<model::TestResult>& results) {
  return Reading(limits, results).read(xml);
}

}  // namespace slipway::init
