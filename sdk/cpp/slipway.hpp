#pragma once

// Pipelines in C++: steps, jobs and what a job says, over the control socket of the step that runs the program.
// One header, C++17, the standard library and POSIX; link with -pthread for `parallel`. docs/cpp.md is the guide.
//
//   slipway::run_step("build", "make -j4").or_throw();
//   slipway::set_output("version", "1.2.3");
//   slipway::trigger_job({"deploy", "./deploy.sh"});
//
// Any thread may call: each call has a connection of its own. What cannot be done throws slipway::Error; outside of a
// job that is everything.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern "C" char** environ;

namespace slipway {

using Texts = std::vector<std::string>;
using TextMap = std::map<std::string, std::string>;

/// What Slipway refused or could not do; `kind` says which: `invalid`, `not_found`, `exhausted`, `unavailable`, ...
class Error : public std::runtime_error {
 public:
  Error(std::string kind, const std::string& what) : std::runtime_error(what), kind_(std::move(kind)) {}
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
};

/// A command as a step of its own below the calling one.
struct Step {
  std::string name;
  Texts argv;                            ///< run without a shell
  TextMap env = {};                      ///< on top of this program's environment; what is not UTF-8 is left out
  std::string working_dir = {};          ///< absolute; empty: where this program stands
  std::chrono::milliseconds timeout{0};  ///< 0: none of its own
};
/// A script for `sh -e`.
inline Step script(std::string name, std::string text) {
  return {std::move(name), {"sh", "-e", "-c", std::move(text)}};
}

struct StepResult {
  std::string name;
  std::string outcome;  ///< `succeeded`, `failed`, `timed_out`, `cancelled`, `out_of_memory`, `infra_failed`
  int exit_code = 0;    ///< 128 + signal when one ended it
  std::string reason;   ///< why it did not succeed, for people
  TextMap outputs;      ///< of the job, that it set
  TextMap artifacts;    ///< that it uploaded by `slipway artifact`: name to URL

  bool success() const { return outcome == "succeeded"; }
  const StepResult& or_throw() const {
    if (!success()) throw Error("failed", "step `" + name + "` " + outcome + ": " + reason);
    return *this;
  }
};

/// A job to be asked for. Empty members are left out: the asking job's hold.
struct Job {
  std::string name;
  std::string command = {};  ///< a script; empty: the job is looked up by its name
  TextMap env = {};
  std::string image = {};
  Texts depends_on = {};
  std::string condition = {};  ///< `all_success`, `any_failed` or `always`
};

struct JobResult {
  std::string run, job, outcome;
  int exit_code = 0;
  TextMap outputs;
};

namespace detail {

// --- as much JSON as the socket speaks ---

inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(byte));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}
inline std::string list_of(const Texts& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? "," : "") + quoted(text);
  return out + "]";
}
inline std::string object_of(const TextMap& map) {
  std::string out = "{";
  for (const auto& [key, value] : map) out += (out.size() > 1 ? "," : "") + quoted(key) + ":" + quoted(value);
  return out + "}";
}

struct Value {
  std::string text;  ///< of a text; as written, of a number, `true`, `false` and `null`
  std::vector<Value> items;
  std::map<std::string, Value> members;

  const Value& at(const std::string& key) const {
    static const Value kNone;
    const auto found = members.find(key);
    return found == members.end() ? kNone : found->second;
  }
  TextMap texts() const {
    TextMap map;
    for (const auto& [key, value] : members) map[key] = value.text;
    return map;
  }
};

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}
  Value parse() {
    Value value = read(0);
    skip();
    if (at_ != text_.size()) broken();
    return value;
  }

 private:
  static constexpr int kDeepest = 64;

  [[noreturn]] static void broken() { throw Error("internal", "the job's answer is broken"); }
  void skip() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) != nullptr && text_[at_] != '\0') ++at_;
  }
  char peek() {
    skip();
    if (at_ >= text_.size()) broken();
    return text_[at_];
  }
  void expect(char c) {
    if (peek() != c) broken();
    ++at_;
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  Value read(int depth) {
    if (depth > kDeepest) broken();
    Value value;
    if (take('{')) {
      if (take('}')) return value;
      do {
        const std::string key = read_text();
        expect(':');
        value.members[key] = read(depth + 1);
      } while (take(','));
      expect('}');
    } else if (take('[')) {
      if (take(']')) return value;
      do {
        value.items.push_back(read(depth + 1));
      } while (take(','));
      expect(']');
    } else if (peek() == '"') {
      value.text = read_text();
    } else {
      while (at_ < text_.size() && std::strchr(",]} \t\r\n", text_[at_]) == nullptr) value.text += text_[at_++];
      if (value.text.empty()) broken();
    }
    return value;
  }
  unsigned read_hex() {
    if (text_.size() - at_ < 4) broken();
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = text_[at_++];
      const char* const digits = "0123456789abcdef";
      const char* const found = c == '\0' ? nullptr : std::strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
      if (found == nullptr) broken();
      code = code * 16 + static_cast<unsigned>(found - digits);
    }
    return code;
  }
  static void append(std::string& out, unsigned code) {
    const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xC0U | code >> 6U);
    } else if (code < 0x10000) {
      put(0xE0U | code >> 12U);
      put(0x80U | (code >> 6U & 0x3FU));
    } else {
      put(0xF0U | code >> 18U);
      put(0x80U | (code >> 12U & 0x3FU));
      put(0x80U | (code >> 6U & 0x3FU));
    }
    put(0x80U | (code & 0x3FU));
  }
  std::string read_text() {
    expect('"');
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        out += text_[at_++];
        continue;
      }
      if (++at_ >= text_.size()) broken();
      const char c = text_[at_++];
      if (c == 'u') {
        unsigned code = read_hex();
        const bool is_pair = code >= 0xD800 && code < 0xDC00 && text_.compare(at_, 2, "\\u") == 0;
        if (is_pair) {
          at_ += 2;
          code = 0x10000 + ((code - 0xD800) << 10U) + (read_hex() - 0xDC00);
        }
        append(out, code);
      } else {
        const char* const from = "bfnrt";
        const char* const found = c == '\0' ? nullptr : std::strchr(from, c);
        out += found == nullptr ? c : "\b\f\n\r\t"[found - from];
      }
    }
    expect('"');
    return out;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

// --- the socket ---

constexpr std::size_t kMostBytes = 1U << 20U, kMostAnswer = 16U << 20U;

class Connection {
 public:
  explicit Connection(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw Error("unavailable", "socket: " + std::string(std::strerror(errno)));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    bool connected = false;
    if (path.size() < sizeof address.sun_path) {
      std::memcpy(address.sun_path, path.data(), path.size());
      wait_at_most(SO_SNDTIMEO, 30);
      connected = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    if (connected) return;
    ::close(fd_);
    throw Error("unavailable", "the job does not listen at " + path);
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void wait_at_most(int option, int seconds) const {
    const timeval limit{seconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, option, &limit, sizeof limit);
  }
  /// What is refused half-way has an answer that says why: no error here.
  void send(const std::string& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t got = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;
      sent += static_cast<std::size_t>(got);
    }
  }
  std::string read(std::size_t size) const {
    std::string bytes(size, '\0');
    for (std::size_t read = 0; read < size;) {
      const ssize_t got = ::recv(fd_, &bytes[read], size - read, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw Error("unavailable", "the job did not answer");
      read += static_cast<std::size_t>(got);
    }
    return bytes;
  }

 private:
  int fd_;
};

/// `answer_within` 0: as long as it takes.
inline Value ask_at_once(const std::string& request, int answer_within = 60) {
  const char* const path = std::getenv("SLIPWAY_SOCKET");
  if (path == nullptr || *path == '\0') {
    throw Error("unavailable", "SLIPWAY_SOCKET is not set: this program works in a step of a job (`slipway run`)");
  }
  if (request.size() > kMostBytes) throw Error("exhausted", "a request may hold 1 MiB");
  const Connection connection(path);
  std::string framed;
  for (unsigned shift = 0; shift < 32; shift += 8) framed += static_cast<char>(request.size() >> shift & 0xFFU);
  connection.send(framed + request);
  connection.wait_at_most(SO_RCVTIMEO, answer_within);
  const std::string prefix = connection.read(4);
  std::size_t size = 0;
  for (unsigned i = 0; i < 4; ++i) size |= std::size_t{static_cast<unsigned char>(prefix[i])} << 8U * i;
  if (size > kMostAnswer) throw Error("internal", "the job's answer is broken");
  const std::string text = connection.read(size);
  Value answer = Parser(text).parse();
  if (answer.at("ok").text != "true") throw Error(answer.at("kind").text, answer.at("error").text);
  return answer.at("result");
}

/// What was printed before stands before.
inline Value ask(const std::string& request, int answer_within = 60) {
  std::fflush(stdout);
  std::fflush(stderr);
  return ask_at_once(request, answer_within);
}

constexpr int kOwnersAnswer = 660;

inline void set(const char* what, const std::string& name, const std::string& value) {
  ask(std::string("{\"do\":\"") + what + "\",\"name\":" + quoted(name) + ",\"value\":" + quoted(value) + "}");
}

inline std::string here() {
  char* const path = ::getcwd(nullptr, 0);
  std::string text = path == nullptr ? "/" : path;
  std::free(path);
  return text;
}

/// UTF-8. What is not cannot be written as JSON.
inline bool is_text(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
    };
    const unsigned lead = byte(0);
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4) return false;
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xC0U) != 0x80U) return false;
    }
    const bool is_overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
    const bool is_outside = (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF4 && byte(1) > 0x8F);
    if (is_overlong || is_outside) return false;
    at += length;
  }
  return true;
}

/// Of one trigger: one that comes twice is one.
inline std::string operation_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    char hex[9];
    std::snprintf(hex, sizeof hex, "%08x", static_cast<unsigned>(random()));
    id += hex;
  }
  return id;
}

inline std::string member(const char* key, const std::string& json) { return std::string(",\"") + key + "\":" + json; }

inline std::string request_of(const Step& step) {
  TextMap env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* const equals = std::strchr(*entry, '=');
    if (equals != nullptr && equals != *entry)
      env[std::string(*entry, static_cast<std::size_t>(equals - *entry))] = equals + 1;
  }
  for (const auto& [name, value] : step.env) env[name] = value;
  for (auto it = env.begin(); it != env.end();) it = is_text(it->first) && is_text(it->second) ? ++it : env.erase(it);
  std::string request = "{\"do\":\"step\"" + member("name", quoted(step.name)) + member("argv", list_of(step.argv)) +
                        member("env", object_of(env)) +
                        member("working_dir", quoted(step.working_dir.empty() ? here() : step.working_dir));
  if (step.timeout.count() > 0) request += member("timeout_ms", std::to_string(step.timeout.count()));
  return request + "}";
}

inline std::string object_of(const Job& job) {
  std::string object = "{\"job_name\":" + quoted(job.name);
  if (!job.command.empty()) object += member("job_command", quoted(job.command));
  if (!job.image.empty()) object += member("container_image", quoted(job.image));
  if (!job.env.empty()) object += member("env", object_of(job.env));
  if (!job.depends_on.empty()) object += member("depends_on", list_of(job.depends_on));
  if (!job.condition.empty()) object += member("condition", quoted(job.condition));
  return object + "}";
}

inline Value state(const char* what, const char* key, const std::string& name) {
  return ask("{\"do\":\"state\"" + member("what", quoted(what)) + member(key, quoted(name)) + "}", kOwnersAnswer);
}

}  // namespace detail

/// Runs `step` and waits for its end. How it ended is a result, not an error: `or_throw` makes one of it.
inline StepResult run_step(const Step& step) {
  const detail::Value end = detail::ask(detail::request_of(step), 0);
  StepResult result{step.name,
                    end.at("outcome").text,
                    std::atoi(end.at("exit_code").text.c_str()),
                    end.at("reason").text,
                    end.at("outputs").texts(),
                    {}};
  for (const detail::Value& one : end.at("artifacts").items) result.artifacts[one.at("name").text] = one.at("url").text;
  return result;
}
inline StepResult run_step(std::string name, std::string text) {
  return run_step(script(std::move(name), std::move(text)));
}

/// Runs steps at the same time, at most 32 of them, and waits for all. Results in the order of `steps`.
inline std::vector<StepResult> parallel(const std::vector<Step>& steps) {
  constexpr std::size_t kAtOnce = 32;
  std::vector<StepResult> results(steps.size());
  std::vector<std::exception_ptr> errors(steps.size());
  for (std::size_t begin = 0; begin < steps.size(); begin += kAtOnce) {
    std::vector<std::thread> threads;
    for (std::size_t i = begin; i < steps.size() && i < begin + kAtOnce; ++i) {
      threads.emplace_back([&results, &errors, &steps, i] {
        try {
          results[i] = run_step(steps[i]);
        } catch (...) {
          errors[i] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return results;
}

/// An output of this job; a variable of the run.
inline void set_output(const std::string& name, const std::string& value) { detail::set("output", name, value); }
inline void set_var(const std::string& name, const std::string& value) { detail::set("var", name, value); }

/// Hides `value` in all output from here on.
inline void mask(const std::string& value) {  // and perhaps what is not written yet
  detail::ask_at_once("{\"do\":\"mask\",\"value\":" + detail::quoted(value) + "}");
}

/// A remark with the run's end. `level`: `notice`, `warning` or `error`.
inline void annotate(const std::string& message, const std::string& level = "notice", const std::string& file = "",
                     int line = 0) {
  using detail::member, detail::quoted;
  detail::ask("{\"do\":\"annotate\"" + member("level", quoted(level)) + member("message", quoted(message)) +
              member("file", quoted(file)) + member("line", std::to_string(line)) + "}");
}

/// Keeps files as artifact `name` when the job (or the step below that asks) has ended. Relative paths and globs are
/// below the current directory.
inline void artifact(const std::string& name, Texts paths) {
  for (std::string& path : paths) {
    if (path.empty() || path[0] != '/') path = detail::here() + "/" + path;
  }
  detail::ask("{\"do\":\"artifact\"" + detail::member("name", detail::quoted(name)) +
              detail::member("paths", detail::list_of(paths)) + "}");
}

/// Folds the output of its lifetime.
class Group {
 public:
  explicit Group(const std::string& name) { say(true, name); }
  ~Group() {
    try {
      say(false, "");
    } catch (...) {  // the job is ending: nothing is folded any more
    }
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

 private:
  static void say(bool start, const std::string& name) {
    detail::ask(std::string("{\"do\":\"group\",\"start\":") + (start ? "true" : "false") +
                detail::member("name", detail::quoted(name)) + "}");
  }
};

/// Asks for more jobs in one trigger, so that they may depend on each other.
inline void trigger_jobs(const std::vector<Job>& jobs) {
  if (jobs.empty()) return;
  std::string list;
  for (const Job& job : jobs) list += (list.empty() ? "" : ",") + detail::object_of(job);
  const std::string trigger = "{\"type\":\"trigger_job\"" +
                              detail::member("operation_id", detail::quoted(detail::operation_id())) +
                              detail::member("jobs", "[" + list + "]") + "}";
  detail::ask("{\"do\":\"trigger\",\"json\":" + detail::quoted(trigger) + "}");
}
inline void trigger_job(const Job& job) { trigger_jobs({job}); }

/// Is a job of that name starting or running in any run of the project, this job left out?
inline bool is_job_running(const std::string& job) {
  return detail::state("is_job_running", "job", job).at("running").text == "true";
}
/// The same of a job with `environment: ENVIRONMENT`.
inline bool check_deploy_in_progress(const std::string& environment) {
  return detail::state("deploy_in_progress", "environment", environment).at("in_progress").text == "true";
}
/// The newest finished job of that name, one of this run first; none: there is none.
inline std::optional<JobResult> get_job_result(const std::string& job) {
  try {
    const detail::Value found = detail::state("job_result", "job", job);
    return JobResult{found.at("run").text, found.at("job").text, found.at("outcome").text,
                     std::atoi(found.at("exit_code").text.c_str()), found.at("outputs").texts()};
  } catch (const Error& error) {
    if (error.kind() == "not_found") return {};
    throw;
  }
}

/// Files that differ between two revisions; needs no git in the image.
inline Texts changed_files(const std::string& from = "HEAD^", const std::string& to = "HEAD") {
  const detail::Value found = detail::ask("{\"do\":\"changed_files\"" + detail::member("from", detail::quoted(from)) +
                                              detail::member("to", detail::quoted(to)) + "}",
                                          detail::kOwnersAnswer);
  Texts files;
  for (const detail::Value& file : found.at("files").items) files.push_back(file.text);
  return files;
}

}  // namespace slipway
