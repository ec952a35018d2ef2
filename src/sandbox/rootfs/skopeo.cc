#include "sandbox/rootfs/skopeo.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "os/wait.h"
#include "sandbox/rootfs/image_record.h"

namespace slipway::sandbox::rootfs {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostOutput = 4U << 20U, kErrorTail = 4096;
constexpr auto kTick = 250ms;

// Where nobody has said whom to trust, everybody is, as with docker. Without a file skopeo would do nothing.
bool has_policy() {
  const char* home = std::getenv("HOME");
  return ::access("/etc/containers/policy.json", R_OK) == 0 ||
         (home != nullptr && ::access((std::string(home) + "/.config/containers/policy.json").c_str(), R_OK) == 0);
}

bool is_on_this_machine(std::string_view registry) {
  const std::string_view host =
      registry.starts_with('[') ? registry.substr(0, registry.find(']') + 1) : registry.substr(0, registry.find(':'));
  return host == "localhost" || host.starts_with("127.") || host == "[::1]";
}

std::string transport_of(const ImageReference& reference) {
  return reference.source == ImageReference::Source::registry ? "docker://" + reference.text() : reference.text();
}

std::vector<std::string> command(const ImageReference& reference, std::vector<std::string> verb, bool copies) {
  std::vector<std::string> argv = {"skopeo"};
  if (!has_policy()) argv.emplace_back("--insecure-policy");
  argv.insert(argv.end(), verb.begin(), verb.end());
  if (reference.source == ImageReference::Source::registry && is_on_this_machine(reference.registry())) {
    argv.emplace_back(copies ? "--src-tls-verify=false" : "--tls-verify=false");
  }
  argv.push_back(transport_of(reference));
  return argv;
}

// `time="..." level=fatal msg="Error parsing ...: reading manifest x in y: manifest unknown"`: the last one counts.
std::string message_of(std::string_view output) {
  std::string_view last;
  for (const std::string_view line : split(output, '\n')) {
    if (!trim(line).empty()) last = trim(line);
  }
  if (const std::size_t at = last.find("msg=\""); at != std::string_view::npos) {
    last.remove_prefix(at + 5);
    if (last.ends_with('"')) last.remove_suffix(1);
  }
  constexpr std::size_t kMost = 600;
  std::string text = printable(last.substr(0, kMost), Colour::strip);
  std::erase(text, '\\');  // of the quotes in it
  // It begins so whatever was wrong when it opened the image, whose name was right.
  constexpr std::string_view kMisleading = "Error parsing image name \"";
  const std::size_t end = text.starts_with(kMisleading) ? text.find("\": ", kMisleading.size()) : std::string::npos;
  if (end != std::string::npos) text.erase(0, end + 3);
  return text;
}

std::unexpected<Error> failure(const ImageReference& reference, std::string_view output) {
  std::string text = message_of(output);
  const auto says = [&](std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != std::string::npos; });
  };
  const bool is_file = reference.source == ImageReference::Source::docker_archive ||
                       reference.source == ImageReference::Source::oci_layout;
  ErrorKind kind = ErrorKind::unavailable;
  if (says({"unauthorized", "denied", "authentication required"})) {
    kind = ErrorKind::denied;
    if (reference.source == ImageReference::Source::registry) {
      const std::string registry(reference.registry());
      text += "; if it is there, log in: `docker login " + registry + "` or `skopeo login " + registry + "`";
    }
  } else if (says({"unknown", "not found", "no such file", "No such image", "does not exist", "name invalid",
                   "no image found", "no descriptor found"})) {
    kind = ErrorKind::not_found;
  } else if (is_file && !text.empty() && !says({"no space left", "quota", "input/output error", "cannot allocate"})) {
    kind = ErrorKind::invalid;  // a file that is no image stays none
  }
  return fail(kind, "skopeo: " + (text.empty() ? std::string("failed") : text));
}

std::unexpected<Error> not_installed() {
  return fail(ErrorKind::not_found,
              "images by name are fetched by skopeo, which is not here: install the package `skopeo`");
}

Result<std::string> ask(const ImageReference& reference, std::vector<std::string> verb, const os::CallLimit& limit) {
  if (!has_skopeo()) return not_installed();
  os::Subprocess::Options options;
  options.argv = command(reference, std::move(verb), false);
  options.working_dir = "/";
  options.session = os::Subprocess::Options::Session::own;
  SW_TRY(const os::CommandOutput output, os::run_command(options, kMostOutput, limit));
  if (output.exit_code != 0) return failure(reference, output.err);
  return output.out;
}

// Reads what is there; false at the end.
Result<bool> drain(int fd, std::string& tail) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return true;
  if (got < 0) return fail_errno(errno, "reading from skopeo");
  tail.append(buffer.data(), static_cast<std::size_t>(got));
  if (tail.size() > 2 * kErrorTail) tail.erase(0, tail.size() - kErrorTail);
  return got > 0;
}

}  // namespace

bool has_skopeo() {
  const char* path = std::getenv("PATH");
  for (const std::string_view directory : split(path != nullptr ? path : "/usr/bin", ':')) {
    if (!directory.empty() && ::access((std::string(directory) + "/skopeo").c_str(), X_OK) == 0) return true;
  }
  return false;
}

Result<std::string> ask_manifest(const ImageReference& reference, const os::CallLimit& limit) {
  return ask(reference, {"inspect", "--raw"}, limit);
}

std::uint64_t size_of(const ImageReference& reference, std::string_view manifest, const os::CallLimit& limit) {
  if (const auto facts = read_manifest(manifest)) return facts->bytes;
  const std::string own = manifest_for_this_machine(manifest);
  if (own.empty()) return 0;
  const auto raw = ask_manifest({ImageReference::Source::registry, reference.name, "", own}, limit);
  const auto facts = raw ? read_manifest(*raw) : Result<ManifestFacts>(std::unexpected(raw.error()));
  return facts ? facts->bytes : 0;
}

Result<void> copy_to_layout(const ImageReference& reference, const std::filesystem::path& layout,
                            const std::filesystem::path& blobs, const std::function<Result<void>()>& waiting,
                            const os::CallLimit& limit) {
  if (!has_skopeo()) return not_installed();
  SW_TRY(os::Pipe output, os::make_pipe());
  os::Subprocess::Options options;
  options.argv = command(reference, {"copy", "--dest-shared-blob-dir", blobs.string()}, true);
  options.argv.push_back("oci:" + layout.string() + ":image");
  if (const char* host = std::getenv("DOCKER_HOST");
      reference.source == ImageReference::Source::docker_daemon && host != nullptr && *host != '\0') {
    options.argv.insert(options.argv.end(), {"--src-daemon-host", host});
  }
  options.working_dir = "/";
  options.stderr_fd = output.write.get();
  options.session = os::Subprocess::Options::Session::own;
  SW_TRY(os::Subprocess process, os::Subprocess::start(options));
  output.write.reset();
  std::string tail;
  for (bool open = true; open;) {
    const auto ready =
        os::wait_readable(output.read.get(), {limit.stop, std::min(limit.deadline, os::Clock::now() + kTick)});
    if (!ready && (ready.error().kind != ErrorKind::timeout || os::Clock::now() >= limit.deadline)) {
      return std::unexpected(ready.error());  // the process ends with its owner
    }
    if (ready) {
      SW_TRY(open, drain(output.read.get(), tail));
    } else if (waiting) {
      SW_CHECK(waiting());
    }
  }
  SW_TRY(const int code, process.wait(limit));
  if (code != 0) return failure(reference, tail);
  return {};
}

}  // namespace slipway::sandbox::rootfs
