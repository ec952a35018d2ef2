#include "source/tool_output.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/wait.h"
#include "source/git_command.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr auto kLookEvery = std::chrono::seconds(2);
constexpr std::size_t kMostLine = 64U << 10U;
constexpr std::size_t kMostErrors = 256U << 10U;
constexpr std::size_t kMostInput = 1U << 20U;

constexpr const char* kNetworkVariables[] = {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",      "all_proxy",
                                             "ALL_PROXY",  "no_proxy",    "NO_PROXY",   "GIT_SSL_NO_VERIFY"};
constexpr const char* kFileVariables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
                                          "GIT_SSL_CAPATH"};

}  // namespace

std::vector<std::string> tool_environment(const ToolCall& call, const std::string& home) {
  std::vector<std::string> variables = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        "HOME=" + home, "LC_ALL=C.UTF-8", "TMPDIR=/tmp"};
  if (call.network == ToolCall::Network::host) {
    const auto add = [&](const char* name) {
      if (const char* value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
    };
    for (const char* name : kNetworkVariables) add(name);
    for (const char* name : kFileVariables) add(name);
  }
  for (const auto& [name, value] : call.environment) variables.push_back(name + "=" + value);
  return variables;
}

std::vector<fs::path> files_in_environment() {
  std::vector<fs::path> files;
  for (const char* name : kFileVariables) {
    const char* value = std::getenv(name);
    std::error_code error;
    if (value == nullptr || *value != '/') continue;
    if (fs::path path = fs::canonical(value, error); !error && !path.string().starts_with("/usr/")) {
      files.push_back(std::move(path));
    }
  }
  return files;
}

Result<void> ToolOutput::connect(os::Subprocess::Options& options) {
  if (!call_.input.empty()) {
    if (call_.input.size() > kMostInput) return fail(ErrorKind::exhausted, "too much to tell " + call_.argv.front());
    in_ = os::Fd(::memfd_create("slipway-input", MFD_CLOEXEC));
    if (!in_) return fail_errno(errno, "memfd_create");
    SW_CHECK(os::write_all(in_.get(), call_.input));
    if (::lseek(in_.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
    options.stdin_fd = in_.get();
  }
  SW_TRY(os::Pipe out, os::make_pipe());
  SW_TRY(os::Pipe err, os::make_pipe());
  out_ = std::move(out.read);
  err_ = std::move(err.read);
  options.stdout_fd = out.write.get();
  options.stderr_fd = err.write.get();
  theirs_.push_back(std::move(out.write));
  theirs_.push_back(std::move(err.write));
  return {};
}

// Progress overwrites itself by carriage returns; people get each state as a line.
Result<void> ToolOutput::take(int fd, bool is_error, bool& ended) {
  char buffer[65536];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return {};
  if (got < 0) return fail_errno(errno, "reading from " + call_.argv.front());
  ended = got == 0;
  const std::string_view text(buffer, static_cast<std::size_t>(got));
  if (!is_error && !call_.on_line) {
    output_.out += text;
    if (output_.out.size() > call_.most_output)
      return fail(ErrorKind::exhausted, call_.argv.front() + " prints too much");
    return {};
  }
  if (is_error) {
    output_.err += text;  // its end says what went wrong
    if (output_.err.size() > kMostErrors) output_.err.erase(0, output_.err.size() - kMostErrors / 2);
  }
  std::string& line = is_error ? err_line_ : out_line_;
  const auto end_line = [&] {
    if (is_error && progress_ && !line.empty()) {
      progress_(fs::path(call_.argv.front()).filename().string(), redact(printable(line, Colour::strip)));
    }
    if (!is_error) call_.on_line(line);
    line.clear();
  };
  for (const char c : text) {
    if (c == '\n' || (c == '\r' && is_error)) {
      end_line();
    } else if (line.size() < kMostLine) {
      line.push_back(c);
    } else if (!is_error) {
      return fail(ErrorKind::exhausted, call_.argv.front() + " prints a line over 64 KiB");
    }
  }
  if (ended && !line.empty()) end_line();
  return {};
}

Result<void> ToolOutput::check_size() {
  std::uint64_t bytes = 0, files = 0;
  for (const fs::path& path : call_.writable) {
    std::error_code error;
    for (fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied, error), end;
         !error && at != end; at.increment(error)) {
      std::error_code gone;
      ++files;
      if (at->is_regular_file(gone) && !at->is_symlink(gone)) {
        const auto size = at->file_size(gone);
        if (!gone) bytes += size;
      }
      if (files > most_.files || bytes > most_.bytes) {
        return fail(ErrorKind::exhausted,
                    fmt::format("{} writes more than a source may have ({} MiB, {} files): see source.limit",
                                call_.argv.front(), most_.bytes >> 20U, most_.files));
      }
    }
  }
  return {};
}

Result<os::CommandOutput> ToolOutput::collect(os::Subprocess& process, const os::CallLimit& limit) {
  theirs_.clear();
  os::Deadline next_look = os::Clock::now() + kLookEvery;
  while (out_ || err_) {
    std::vector<int> open;
    if (out_) open.push_back(out_.get());
    if (err_) open.push_back(err_.get());
    const auto readable = os::wait_any_readable(open, {limit.stop, std::min(limit.deadline, next_look)});
    const os::Deadline now = os::Clock::now();
    if (!readable && (readable.error().kind != ErrorKind::timeout || now >= limit.deadline)) {
      return std::unexpected(readable.error());
    }
    if (now >= next_look) {
      SW_CHECK(check_size());
      // A tree of many files costs time to look at: at most a tenth of it.
      next_look = os::Clock::now() + std::max<os::Clock::duration>(kLookEvery, 10 * (os::Clock::now() - now));
    }
    if (!readable) continue;
    for (const std::size_t index : *readable) {
      const bool is_error = !out_ || open[index] != out_.get();
      bool ended = false;
      SW_CHECK(take(open[index], is_error, ended));
      if (ended) (is_error ? err_ : out_).reset();
    }
  }
  SW_TRY(output_.exit_code, process.wait(limit));
  SW_CHECK(check_size());
  return std::move(output_);
}

}  // namespace slipway::source
