#include "worker/artifacts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/hashed_name.h"
#include "base/json.h"
#include "base/text.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "wire/control.h"
#include "worker/fields.h"

namespace slipway::worker {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRecord = 64 * 1024;
constexpr std::size_t kMaxArtifacts = 100'000;  // a run
constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// Names of entries in a directory, dot files left out. A missing directory has none.
Result<std::vector<std::string>> entries_of(const fs::path& directory) {
  auto names = os::list_directory(directory);
  if (!names && names.error().kind == ErrorKind::not_found) return std::vector<std::string>();
  if (names) std::erase_if(*names, [](const std::string& name) { return name.starts_with('.'); });
  return names;
}

Result<fs::path> directory_of(const fs::path& runs, const RunId& run) {
  const bool plain = !run.empty() && run.value.front() != '.' &&
                     run.value.find_first_not_of(std::string(kLetters) + "-_.") == std::string::npos;
  if (!plain) return fail(ErrorKind::invalid, "this is no id of a run");
  return runs / run.value / "artifacts";
}

std::string encode(const Artifact& artifact) {
  boost::json::object record{
      {"name", artifact.name},
      {"job", artifact.job},
      {"attempt", artifact.attempt.value},
      {"digest", artifact.digest.text},
      {"files", static_cast<std::int64_t>(artifact.files)},
      {"bytes", static_cast<std::int64_t>(artifact.bytes)},
      {"created", to_micros(artifact.created)},
      {"untrusted", artifact.untrusted},
  };
  if (artifact.expires) record["expires"] = to_micros(*artifact.expires);
  return boost::json::serialize(record);
}

Result<Artifact> read_record(const RunId& run, const fs::path& path) {
  SW_TRY(const std::string text, os::read_file(path, kMaxRecord));
  const auto object = parse_object(text, path.string());
  if (!object) return fail(ErrorKind::internal, path.string() + " is damaged");
  Fields fields(*object);
  Artifact artifact;
  artifact.run = run;
  artifact.name = fields.text("name");
  artifact.job = fields.text("job");
  artifact.attempt = AttemptId(fields.text("attempt"));
  const std::string digest = fields.text("digest");
  artifact.files = fields.number("files");
  artifact.bytes = fields.number("bytes");
  artifact.created = fields.time("created");
  artifact.expires = fields.optional_time("expires");
  artifact.untrusted = fields.flag("untrusted");
  if (!fields.complete()) return fail(ErrorKind::internal, path.string() + " is damaged");
  SW_TRY(artifact.digest, objects::parse_digest(digest));
  return artifact;
}

std::string list_names(const std::vector<Artifact>& artifacts) {
  if (artifacts.empty()) return "there are none";
  std::vector<std::string> names;
  for (const Artifact& artifact : artifacts) names.push_back(fmt::format("`{}` of {}", artifact.name, artifact.job));
  constexpr std::size_t kShown = 20;
  if (names.size() > kShown) {
    names.resize(kShown);
    names.emplace_back("...");
  }
  return "there are " + join(names, ", ");
}

}  // namespace

Result<void> Artifacts::check_name(std::string_view name) {
  if (model::is_artifact_name(name)) return {};
  return fail(ErrorKind::invalid, fmt::format("`{}` cannot be an artifact's name: {}", printable(name, Colour::strip),
                                              model::kArtifactNameRule));
}

Result<Artifact> Artifacts::store(Artifact facts, objects::Upload& upload, const os::CallLimit& limit) {
  SW_CHECK(check_name(facts.name));
  SW_TRY(const fs::path directory, directory_of(runs_, facts.run));
  SW_CHECK(os::make_directories(directory, 0700));
  SW_TRY(const os::FileLock noting, os::FileLock::acquire(lock_path(), os::LockMode::shared, limit));
  SW_TRY(objects::Object object, upload.finish(limit));
  // Read from the store: what was checked is what is kept, whoever still holds the upload's descriptor. A bad one is
  // not removed here, since equal content may be somebody's; no artifact names it, so a sweep takes it.
  SW_TRY(const os::Fd bundle, objects_.open(object.digest));
  auto entries = os::list_bundle(bundle.get(), {});
  if (!entries) return wrap(entries.error(), "artifact " + facts.name);
  facts.digest = std::move(object.digest);
  facts.files = entries->size();
  facts.bytes = 0;
  for (const os::BundleEntry& entry : *entries) facts.bytes += entry.size;
  SW_CHECK(os::replace_file(directory / (hashed_name({facts.job, facts.name}) + ".json"), encode(facts), 0600));
  return facts;
}

Result<void> Artifacts::share(Artifact stored, const RunId& run, const os::CallLimit& limit) const {
  stored.run = run;
  SW_TRY(const fs::path directory, directory_of(runs_, run));
  SW_CHECK(os::make_directories(directory, 0700));
  SW_TRY(const os::FileLock noting, os::FileLock::acquire(lock_path(), os::LockMode::shared, limit));
  SW_CHECK(objects_.open(stored.digest));
  return os::replace_file(directory / (hashed_name({stored.job, stored.name}) + ".json"), encode(stored), 0600);
}

Result<std::vector<Artifact>> Artifacts::list(const RunId& run) const {
  SW_TRY(const fs::path directory, directory_of(runs_, run));
  SW_TRY(const auto names, entries_of(directory));
  if (names.size() > kMaxArtifacts) return fail(ErrorKind::exhausted, "too many artifacts in run " + run.value);
  std::vector<Artifact> artifacts;
  for (const std::string& name : names) {
    auto artifact = read_record(run, directory / name);
    if (!artifact && artifact.error().kind == ErrorKind::not_found) continue;  // it expired meanwhile
    if (!artifact) return std::unexpected(artifact.error());
    artifacts.push_back(std::move(*artifact));
  }
  std::ranges::sort(artifacts, {}, [](const Artifact& a) { return std::tie(a.job, a.name); });
  return artifacts;
}

Result<Artifact> Artifacts::find(const RunId& run, const model::ArtifactUse& use) const {
  SW_TRY(const std::vector<Artifact> all, list(run));
  const Artifact* found = nullptr;
  for (const Artifact& artifact : all) {
    if (artifact.name != use.name || (!use.job.empty() && artifact.job != use.job)) continue;
    if (found != nullptr) {
      return fail(ErrorKind::invalid,
                  fmt::format("the artifact `{}` was made by `{}` and by `{}`: give each its own name", use.name,
                              found->job, artifact.job));
    }
    found = &artifact;
  }
  if (found != nullptr) return *found;
  const std::string by = use.job.empty() ? "" : " of job `" + use.job + "`";
  return fail(ErrorKind::not_found, fmt::format("no artifact `{}`{}: {}", use.name, by, list_names(all)));
}

Result<os::Fd> Artifacts::open(const Artifact& artifact) const {
  auto fd = objects_.open(artifact.digest);
  if (!fd) return wrap(fd.error(), "artifact " + artifact.name);
  return fd;
}

Result<os::BundleReport> Artifacts::extract(const Artifact& artifact, const fs::path& directory) const {
  SW_TRY(const os::Fd bundle, open(artifact));
  SW_CHECK(os::make_directories(directory, 0755));
  SW_TRY(const os::Fd target, os::open_file(directory, O_RDONLY | O_DIRECTORY));
  auto report = os::unpack(bundle.get(), target.get(), os::Links::refuse, {},
                           artifact.untrusted ? os::Origin::stranger : os::Origin::any);
  if (!report) return wrap(report.error(), "artifact " + artifact.name);
  return report;
}

Result<std::vector<os::BundleEntry>> Artifacts::content(const Artifact& artifact) const {
  SW_TRY(const os::Fd bundle, open(artifact));
  return os::list_bundle(bundle.get(), {});
}

Result<Artifacts::Swept> Artifacts::sweep(Time now, const os::CallLimit& limit) {
  Swept swept;
  std::set<objects::Digest> kept;
  SW_CHECK(os::make_directories(runs_, 0700));
  SW_TRY(const os::FileLock alone, os::FileLock::acquire(lock_path(), os::LockMode::exclusive, limit));
  SW_TRY(const auto runs, entries_of(runs_));
  for (const std::string& run : runs) {
    SW_TRY(const auto artifacts, list(RunId(run)));
    for (const Artifact& artifact : artifacts) {
      if (!artifact.expires || *artifact.expires > now) {
        kept.insert(artifact.digest);
        continue;
      }
      const auto record = runs_ / run / "artifacts" / (hashed_name({artifact.job, artifact.name}) + ".json");
      if (::unlink(record.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "forgetting " + artifact.name);
      swept.expired.push_back(artifact);
    }
  }
  // Whatever is not noted under our lock is nobody's, however new.
  SW_TRY(const std::vector<objects::Object> removed, objects_.sweep(kept, Time::max()));
  for (const objects::Object& object : removed) swept.freed_bytes += object.bytes;
  return swept;
}

}  // namespace slipway::worker
