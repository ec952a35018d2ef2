#include "os/unpack.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/openat2.h"
#include "os/subprocess.h"

// The program's report on stdout, a line each: `entries N`, `bytes N`, `left_out N`, `digest TEXT`, `opaque PATH`
// (a newline in it as \n, a backslash doubled), or `error KIND TEXT` and exit code 1.

namespace slipway::os {

namespace {

constexpr std::size_t kMostReport = 16U << 20U;

std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      result += text[i] == 'n' ? '\n' : text[i];
    } else {
      result += text[i];
    }
  }
  return result;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

ErrorKind kind_of(std::string_view name) {
  for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::exhausted, ErrorKind::denied, ErrorKind::unavailable}) {
    if (name == to_string(kind)) return kind;
  }
  return ErrorKind::internal;
}

Result<Unpacked> read_report(const CommandOutput& output) {
  Unpacked report;
  for (const std::string_view line : split(output.out, '\n')) {
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    const std::string_view rest = space == std::string_view::npos ? "" : line.substr(space + 1);
    if (word == "error") {
      const std::size_t end = rest.find(' ');
      return fail(kind_of(rest.substr(0, end)), unescaped(end == std::string_view::npos ? "" : rest.substr(end + 1)));
    }
    if (word == "entries") report.entries = number(rest);
    if (word == "bytes") report.bytes = number(rest);
    if (word == "left_out") report.left_out = number(rest);
    if (word == "digest") report.digest = rest;
    if (word == "opaque") report.opaque.push_back(unescaped(rest));
  }
  if (output.exit_code != 0) {
    return fail(ErrorKind::internal, fmt::format("slipway-unpack ended with {}: {}", output.exit_code,
                                                 trim(std::string_view(output.err).substr(0, 500))));
  }
  return report;
}

// trusted.* takes the machine's root, which the program has given up.
Result<void> mark_opaque(const std::filesystem::path& directory, const std::vector<std::string>& names) {
  SW_TRY(const Fd top, open_file(directory, O_RDONLY | O_DIRECTORY));
  for (const std::string& name : names) {
    const Fd fd = open_held(top.get(), name.c_str(), O_RDONLY | O_DIRECTORY, kBeneath);
    if (!fd || ::fsetxattr(fd.get(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
      return fail_errno(errno, "marking " + name + " opaque");
    }
  }
  return {};
}

Result<CommandOutput> run_program(const std::filesystem::path& program, std::vector<std::string> arguments, int archive,
                                  const std::filesystem::path& directory, const CallLimit& limit) {
  if (::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorKind::unavailable, "slipway-unpack is not at " + program.string());
  }
  SW_TRY(const Fd target, open_file(directory, O_RDONLY | O_DIRECTORY));
  Subprocess::Options options;
  options.argv = std::move(arguments);
  options.argv.insert(options.argv.begin(), program.string());
  options.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};  // of newuidmap
  options.working_dir = "/";
  options.fds = {{target.get(), 3}};
  options.stdin_fd = archive;
  options.session = Subprocess::Options::Session::own;
  return run_command(options, kMostReport, limit);
}

}  // namespace

Result<Unpacked> unpack(const std::filesystem::path& program, int archive, const std::filesystem::path& directory,
                        const UnpackOrder& order, const CallLimit& limit) {
  const bool layer = order.content == UnpackOrder::Content::layer;
  SW_TRY(const CommandOutput output, run_program(program,
                                                 {layer ? "layer" : "source", std::to_string(order.strip),
                                                  std::to_string(order.most_bytes), std::to_string(order.most_entries),
                                                  std::to_string(order.most_ratio), order.digest ? "digest" : "plain"},
                                                 archive, directory, limit));
  SW_TRY(Unpacked report, read_report(output));
  if (layer && ::geteuid() == 0) SW_CHECK(mark_opaque(directory, report.opaque));
  return report;
}

Result<void> remove_unpacked(const std::filesystem::path& program, const std::filesystem::path& directory,
                             const CallLimit& limit) {
  if (::access(directory.c_str(), F_OK) != 0) return {};
  if (::geteuid() != 0) {
    SW_TRY(const CommandOutput output, run_program(program, {"empty"}, -1, directory, limit));
    SW_CHECK(read_report(output));
  }
  return remove_tree(directory);
}

}  // namespace slipway::os
