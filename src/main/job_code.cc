#include "main/job_code.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/text.h"
#include "model/plan.h"
#include "os/files.h"
#include "os/openat2.h"
#include "source/local_directory.h"
#include "source/working_tree.h"

namespace slipway::program {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostPlaces = 1'000;  // of a run
constexpr std::size_t kMostFirstLine = 256;

// What Slipway keeps for itself is no place for code, nor is what it lies in.
Result<void> check_apart(const source::SourceSpec& spec, const fs::path& state_dir) {
  SW_TRY(const auto local, source::local_directory(spec));
  if (!local) return {};
  std::error_code unreadable;
  const fs::path state = fs::weakly_canonical(state_dir, unreadable);  // not there before the first run
  if (unreadable) return fail(ErrorKind::unavailable, state_dir.string() + ": " + unreadable.message());
  if (!lies_below(local->native(), state.native()) && !lies_below(state.native(), local->native())) return {};
  return fail(ErrorKind::denied, local->string() + " holds what slipway keeps for itself, or lies in it");
}

// `<outputs.JOB.NAME>` stands in a preview for what is not known yet.
bool is_known(const model::CodeSpec& code) { return code.ref.find("<outputs.") == std::string::npos; }

}  // namespace

std::string shown_code(std::string_view what, const model::CodeSpec& code) {
  std::string text(what);
  if (!code.url.empty()) text += " " + source::without_credentials(code.url);
  if (!code.ref.empty()) text += " " + code.ref;
  if (!code.path.empty()) text += fmt::format("{}{}", code.url.empty() ? " " : ": ", code.path);
  return printable(text, Colour::strip);
}

Result<source::SourceSpec> JobCode::look_up(const model::CodeSpec& wanted, const os::CallLimit& limit) {
  const Key key(wanted.url, wanted.ref);
  const auto find = [&](auto& known) {
    const auto at = known.find(key);
    return at == known.end() ? std::optional<source::SourceSpec>() : std::optional(at->second);
  };
  if (auto found = known_.with(find)) return *std::move(found);
  const source::SourceSpec spec = sources_.with_kind({"", wanted.url, wanted.ref, {}, {}});
  SW_CHECK(check_apart(spec, state_dir_));
  SW_TRY(source::SourceSpec pinned, sources_.pin(spec, limit));
  // Whoever was first is right: all jobs get the same.
  return known_.with([&](auto& known) { return known.emplace(key, std::move(pinned)).first->second; });
}

Result<JobCode::Found> JobCode::prepare(const model::CodeSpec& wanted, const model::Checkout& checkout,
                                        model::Trust trust, const os::CallLimit& limit) {
  SW_TRY(source::SourceSpec spec, look_up(wanted, limit));
  spec.checkout = checkout;
  spec.trust = trust;
  SW_TRY(source::Prepared code, sources_.prepare(spec, limit));
  return Found{std::move(spec), std::move(code)};
}

Result<void> JobCode::pin_one(model::Run& run, const model::CodeSpec& code, std::string_view what,
                              model::Trace& because, const os::CallLimit& limit) {
  const std::string shown = shown_code(what, code);
  if (code.url.empty() || !is_known(code)) {
    because.push_back({shown, code.url.empty() ? "of this checkout" : "looked up when the job starts"});
    return {};
  }
  SW_TRY(const source::SourceSpec pinned, look_up(code, limit));
  because.push_back({shown, pinned.revision.empty() ? "as it is" : pinned.revision});
  if (!code.revision.empty() || pinned.revision.empty()) return {};
  if (run.options.code.size() >= kMostPlaces)
    return fail(ErrorKind::exhausted, "the jobs take their code from too many places");
  run.options.code.push_back({code.url, code.ref, pinned.revision});
  return {};
}

Result<void> JobCode::pin(std::vector<cli::Planned>& planned, const os::CallLimit& limit) {
  for (cli::Planned& one : planned) {
    if (!one.run) continue;
    model::Run& run = *one.run;
    for (model::JobIndex index = 0; index < run.jobs.size(); ++index) {
      const model::JobDefinition& definition = *run.groups[run.jobs[index].group].definition;
      const auto& ci_code = definition.ci_code ? definition.ci_code : run.workflow->ci_code;
      const auto& source_code = definition.source_code ? definition.source_code : run.workflow->source_code;
      if (!ci_code && !source_code) continue;
      SW_TRY(const model::JobSpec spec, model::resolve(run, index, AttemptId(), 1, model::Purpose::preview));
      model::Trace because;
      const auto pin_at = [&](const model::CodeSpec& code, const model::Place& at, const char* what) -> Result<void> {
        const auto done = pin_one(run, code, what, because, limit);
        if (done) return {};
        return wrap(done.error(), fmt::format("{}:{}:{}: {} of job {}", at.file, at.line, at.column, what, spec.job));
      };
      if (ci_code) SW_CHECK(pin_at(*spec.ci_code, ci_code->place, "ci_code"));
      if (source_code) SW_CHECK(pin_at(*spec.source_code, source_code->place, "source_code"));
      run.decisions.push_back({run.jobs[index].name, "code", std::move(because)});
    }
  }
  return {};
}

Result<CodePlace> place_of(const fs::path& checkout, const std::string& path) {
  if (path.empty()) return CodePlace{checkout, false};
  SW_TRY(const os::Fd root, os::open_file(checkout, O_PATH | O_DIRECTORY));
  const os::Fd found = os::open_held(root.get(), path.c_str(), O_PATH, os::kBeneath);
  if (!found) {
    if (errno == ELOOP || errno == EXDEV) {
      return fail(ErrorKind::denied, fmt::format("`{}` of the code is a link, or is reached through one", path));
    }
    if (errno == ENOENT || errno == ENOTDIR)
      return fail(ErrorKind::not_found, fmt::format("no `{}` in the code", path));
    return fail_errno(errno, path);
  }
  struct stat status{};
  if (::fstat(found.get(), &status) != 0) return fail_errno(errno, path);
  if (S_ISDIR(status.st_mode)) return CodePlace{checkout / path, false};
  if (S_ISREG(status.st_mode)) return CodePlace{checkout, true};
  return fail(ErrorKind::denied, fmt::format("`{}` of the code is neither a file nor a directory", path));
}

Result<std::vector<std::string>> words_to_run(const fs::path& checkout, const std::string& path,
                                              const std::string& inside) {
  SW_TRY(const os::Fd root, os::open_file(checkout, O_PATH | O_DIRECTORY));
  SW_TRY(const os::Fd file, os::open_untrusted(root.get(), path));
  std::string start(kMostFirstLine, '\0');
  const ssize_t length = ::pread(file.get(), start.data(), start.size(), 0);
  if (length < 0) return fail_errno(errno, path);
  start.resize(static_cast<std::size_t>(length));
  const std::string target = inside + "/" + path;
  if (start.starts_with("#!")) {  // as the kernel reads it: a program and at most one argument
    const std::string_view line = trim(std::string_view(start).substr(2, start.find('\n') - 2));
    const std::size_t blank = std::min(line.find_first_of(" \t"), line.size());
    std::vector<std::string> words = {std::string(line.substr(0, blank))};
    if (const std::string_view argument = trim(line.substr(blank)); !argument.empty()) words.emplace_back(argument);
    words.push_back(target);
    if (words.front().starts_with('/')) return words;
    return fail(ErrorKind::invalid, fmt::format("the `#!` line of {} names no program by its whole path", path));
  }
  if (start.starts_with("\x7f"
                        "ELF"))
    return std::vector<std::string>{target};
  static const std::map<std::string, std::vector<std::string>, std::less<>> kByExtension = {
      {".sh", {"sh", "-e"}}, {".bash", {"bash", "-euo", "pipefail"}},
      {".py", {"python3"}},  {".js", {"node"}},
      {".mjs", {"node"}},    {".rb", {"ruby"}},
      {".pl", {"perl"}}};
  const auto known = kByExtension.find(fs::path(path).extension().string());
  if (known == kByExtension.end()) {
    return fail(
        ErrorKind::invalid,
        fmt::format("{} has no `#!` line, is no program and has no known extension (.sh, .bash, .py, .js, .mjs, "
                    ".rb, .pl)",
                    path));
  }
  std::vector<std::string> words = known->second;
  words.push_back(target);
  return words;
}

}  // namespace slipway::program
