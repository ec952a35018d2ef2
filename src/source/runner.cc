#include "source/runner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/confine.h"
#include "os/files.h"
#include "source/tool_output.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

std::unexpected<Error> not_installed(const std::string& tool) {
  return fail(ErrorKind::unavailable, tool + " is not installed here");
}

class PlainRunner final : public Runner {
 public:
  PlainRunner(SizeLimit most, Progress progress) : most_(most), progress_(std::move(progress)) {}

  Result<os::CommandOutput> run(const ToolCall& call, const os::CallLimit& limit) override {
    // In memory where there is such a place: credentials are not for disks.
    std::string home = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/slipway-home-XXXXXX" : "/tmp/slipway-home-XXXXXX";
    if (::mkdtemp(home.data()) == nullptr) return fail_errno(errno, "making a HOME for " + call.argv.front());
    const ScopeExit remove([&] { (void)os::remove_tree(home); });  // nobody to tell
    for (const HomeFile& file : call.home) {
      SW_CHECK(os::make_directories((fs::path(home) / file.name).parent_path(), 0700));
      SW_CHECK(os::replace_file(fs::path(home) / file.name, file.text, 0600));
    }
    os::Subprocess::Options options;
    options.argv = call.argv;
    options.environment = tool_environment(call, home);
    options.working_dir = call.directory.empty() ? "/" : call.directory.string();
    ToolOutput output(call, most_, progress_);
    SW_CHECK(output.connect(options));
    auto process = os::Subprocess::start(options);
    if (!process && process.error().kind == ErrorKind::not_found) return not_installed(call.argv.front());
    if (!process) return std::unexpected(process.error());
    return output.collect(*process, limit);
  }

 private:
  SizeLimit most_;
  Progress progress_;
};

class ConfinedRunner final : public Runner {
 public:
  ConfinedRunner(fs::path program, SizeLimit most, Progress progress)
      : program_(std::move(program)), most_(most), progress_(std::move(progress)) {}

  Result<os::CommandOutput> run(const ToolCall& call, const os::CallLimit& limit) override {
    os::Confinement confinement = confinement_of(call);
    os::Subprocess::Options options;
    options.argv = call.argv;
    options.environment = tool_environment(call, std::string(os::kConfinedHome));
    options.working_dir = call.directory.string();
    ToolOutput output(call, most_, progress_);
    SW_CHECK(output.connect(options));
    SW_TRY(os::ConfinedProcess confined, os::start_confined(program_, confinement, options));
    SW_TRY(os::CommandOutput done, output.collect(confined.process, limit));
    constexpr std::string_view kOwnWords = "confine: ";
    const std::size_t at = done.err.rfind(kOwnWords);
    if (done.exit_code != os::kConfineFailed || at == std::string::npos) return done;
    const std::string said(trim(std::string_view(done.err).substr(at + kOwnWords.size())));
    if (said.starts_with("starting ") && said.find("No such file") != std::string::npos) {
      return not_installed(call.argv.front());
    }
    return fail(ErrorKind::unavailable, "keeping " + call.argv.front() + " apart from this machine: " + said +
                                            " (source.confine: false does without)");
  }

 private:
  os::Confinement confinement_of(const ToolCall& call) const {
    using Access = os::Confinement::Path::Access;
    os::Confinement confinement;
    for (const fs::path& path : call.writable) confinement.paths.push_back({path.string(), Access::write});
    for (const fs::path& path : call.readable) confinement.paths.push_back({path.string(), Access::read});
    if (call.network == ToolCall::Network::host) {
      confinement.network = os::Confinement::Network::host;
      for (const fs::path& path : files_in_environment()) confinement.paths.push_back({path.string(), Access::read});
    }
    for (const HomeFile& file : call.home) confinement.home.push_back({file.name, file.text});
    confinement.most_file_bytes = most_.bytes;
    return confinement;
  }

  fs::path program_;
  SizeLimit most_;
  Progress progress_;
};

}  // namespace

std::unique_ptr<Runner> make_plain_runner(SizeLimit most, Progress progress) {
  return std::make_unique<PlainRunner>(most, std::move(progress));
}

std::unique_ptr<Runner> make_confined_runner(fs::path init_program, SizeLimit most, Progress progress) {
  return std::make_unique<ConfinedRunner>(std::move(init_program), most, std::move(progress));
}

}  // namespace slipway::source
