#include "main/local_host.h"

#include <sys/stat.h>

#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "cli/summary.h"
#include "cli/view.h"
#include "main/job_repository.h"
#include "main/plugins.h"
#include "main/project_state.h"
#include "model/trust.h"
#include "os/files.h"
#include "source/git_files.h"
#include "wire/owner_json.h"

namespace slipway::program {

namespace json = boost::json;

namespace {

// Where a local job finds the repository without its forge.
constexpr std::string_view kRepositoryInside = "/source.git";
constexpr std::string_view kJobCodeInside = "/ci";
constexpr std::string_view kGitInside = "/git";

bool differs(const model::Checkout& asked) {
  return asked.depth.has_value() || asked.submodules || asked.lfs || asked.clean;
}

// Whose caches and results code from elsewhere has: those of its place. What a directory's `.git` says of a remote is
// whatever stands there.
std::string project_of(const source::SourceSpec& spec, const source::Prepared& code) {
  if (spec.kind == "directory") return spec.kind + "+" + code.directory.string();
  return spec.kind + "+" + (code.url.empty() ? source::without_credentials(spec.location) : code.url);
}

std::uint32_t owner_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_uid : 0;
}

}  // namespace

// What the job sees in /job/src: the run's source, the same in another form of checkout, or code of another place.
Result<void> LocalHost::find_source(const model::JobSpec& job, const os::CallLimit& limit) {
  if (job.source_code && !job.source_code->url.empty()) {
    auto found = context_.code.prepare(*job.source_code, job.checkout, job.source_trust, limit);
    if (!found) return wrap(found.error(), shown_code("source_code", *job.source_code));
    own_source_ = std::move(found->code);
    own_spec_ = std::move(found->spec);
    own_is_apart_ = true;
  } else if (context_.source_spec.kind == "git" && differs(job.checkout)) {
    own_spec_ = context_.source_spec;
    own_spec_->checkout = job.checkout;
    SW_TRY(own_source_, context_.sources.prepare(*own_spec_, limit));
  }
  return {};
}

Result<void> LocalHost::add_plugins(const std::filesystem::path& directory, const std::string& inside,
                                    worker::PreparedSource& prepared) {
  auto found = find_plugins(directory, inside);
  if (!found) return fail(ErrorKind::invalid, "plugins: " + found.error().what);  // of any kind: it is the author's
  prepared.plugins = *std::move(found);
  return {};
}

Result<void> LocalHost::add_job_code(const model::JobSpec& job, worker::PreparedSource& prepared,
                                     const os::CallLimit& limit) {
  if (!job.ci_code) return {};
  const source::Prepared* from = context_.checkout ? &*context_.checkout : &context_.source;
  std::string kind = context_.checkout ? "directory" : context_.source_spec.kind;
  if (!job.ci_code->url.empty()) {
    SW_TRY(JobCode::Found found, context_.code.prepare(*job.ci_code, {}, model::Trust::trusted, limit));
    job_code_ = std::move(found.code);
    from = &*job_code_;
    kind = found.spec.kind;
  }
  const std::string& path = job.ci_code->path;
  SW_TRY(const CodePlace place, place_of(from->directory, path));
  const std::string inside = job.workspace + std::string(kJobCodeInside);
  prepared.mounts.push_back({sandbox::Mount::Kind::read_only, place.directory, inside, false, from->owner, {}});
  SW_CHECK(show_repository(prepared.mounts.back(), kind == "git" || kind == "directory"));
  SW_CHECK(add_plugins(place.directory, inside, prepared));
  prepared.job_env.emplace_back("SLIPWAY_CI_CODE", inside);
  prepared.job_env.emplace_back("SLIPWAY_CI_REVISION", from->sha);
  if (!job.code_entrypoint) return {};
  if (!place.is_file) {
    return fail(ErrorKind::invalid,
                path.empty()
                    ? std::string("the job says nothing to run, and its `ci_code` names no file")
                    : fmt::format("the job says nothing to run, and `{}` of its job code is not a file", path));
  }
  SW_TRY(prepared.code_entrypoint, words_to_run(from->directory, path, inside));
  return {};
}

// Who writes /job/src/.git can make run what they like as whoever calls git there. So the repository lies beside, where
// source only reads it, and job code's git is told where. Source's own finds it by a file, which it may change: nobody
// else goes by that.
Result<void> LocalHost::keep_repository_apart(const model::JobSpec& job, bool is_gits,
                                              worker::PreparedSource& prepared) {
  sandbox::Mount checkout = std::move(prepared.mounts.back());
  prepared.mounts.pop_back();
  checkout.of_source = true;
  const std::string inside = job.workspace + std::string(kGitInside);
  const bool is_there = is_gits && has_repository(checkout.outside);
  if (is_there) {
    SW_TRY(RepositoryApart apart, repository_apart(checkout.outside, checkout.owner.value_or(0), inside));
    checkout.replaced = std::move(apart.in_checkout);
    prepared.mounts.push_back(apart.repository);
    prepared.sibling_mounts.push_back(std::move(apart.repository));
    prepared.sibling_mounts.back().kind = sandbox::Mount::Kind::read_only;
    prepared.sibling_mounts.back().plain_data = true;
  } else {
    const std::filesystem::path empty = context_.state_dir / "empty";
    SW_CHECK(os::make_directories(empty, 0755));
    prepared.mounts.push_back(no_repository(empty, owner_of(empty), inside));
  }
  prepared.mounts.push_back(std::move(checkout));
  for (auto& fact : git_apart(job.workspace, inside, is_there)) prepared.job_env.push_back(std::move(fact));
  // Steps start in /job/src: an `import` would take the source's modules there before any other (Python 3.11 and
  // newer).
  prepared.job_env.emplace_back("PYTHONSAFEPATH", "1");
  return {};
}

Result<void> LocalHost::add_checkout(const model::JobSpec& job, worker::PreparedSource& prepared) {
  sandbox::Mount mount{sandbox::Mount::Kind::overlay, {}, job.workspace + "/src", false, code().owner};
  // A `.git` that came with the code by other ways than git's is whatever its author made it.
  bool is_gits = spec().kind == "git" || is_own_tree();
  if (job.checkout.none) {
    if (!job.separated) return {};
    mount.outside = context_.state_dir / "empty";  // a place of the source's own, for what it fetches itself
    SW_CHECK(os::make_directories(mount.outside, 0755));
    mount.owner = owner_of(mount.outside);
  } else {
    SW_TRY(const CodePlace place, place_of(code().directory, job.source_code ? job.source_code->path : ""));
    if (place.is_file) {
      return fail(ErrorKind::invalid, "`" + job.source_code->path + "`, the path of `source_code`, is a file");
    }
    mount.outside = place.directory;
    is_gits = is_gits || (spec().kind == "directory" && !job.separated);
    SW_CHECK(show_repository(mount, is_gits));
  }
  // The checkout is job code too, where that is of no other place: neither by what the job says, nor by where its
  // definition was read.
  const bool holds_job_code = !job.checkout.none && !job.ci_code && !job.source_code && !context_.checkout &&
                              model::job_code_directory(job).has_value();
  if (holds_job_code) SW_CHECK(add_plugins(mount.outside, mount.inside, prepared));
  prepared.mounts.push_back(std::move(mount));
  if (job.separated) return keep_repository_apart(job, is_gits, prepared);
  prepared.sibling_mounts.push_back(prepared.mounts.back());
  return {};
}

Result<worker::PreparedSource> LocalHost::prepare_source(const model::JobSpec& job, const os::CallLimit& limit) {
  worker::PreparedSource prepared;
  SW_CHECK(find_source(job, limit));
  SW_CHECK(add_checkout(job, prepared));
  if (auto added = add_job_code(job, prepared, limit); !added) {
    return wrap(added.error(), shown_code("ci_code", *job.ci_code));
  }
  if (!code().git_dir.empty()) {
    const std::string inside = job.workspace + std::string(kRepositoryInside);
    const std::filesystem::path repository = is_own_tree() ? context_.tree.common_dir : code().git_dir;
    SW_TRY(Replaced replaced, without_credentials(repository, ""));
    prepared.mounts.push_back(
        {sandbox::Mount::Kind::read_only, repository, inside, true, owner_of(repository), std::move(replaced)});
    prepared.mounts.back().hidden = {"commondir"};  // it may lead to what source writes
    prepared.job_env.emplace_back("GIT_URL", "file://" + inside);
  }
  if (!context_.sdk.empty()) {
    prepared.mounts.push_back(
        {sandbox::Mount::Kind::read_only, context_.sdk, job.workspace + wire::kSdkInside, false, std::nullopt});
  }
  prepared.env.emplace_back("SLIPWAY_REVISION", code().sha);
  if (spec().kind == "directory" || spec().kind == "git") {
    prepared.env.emplace_back("GIT_REF", code().branch.empty() ? code().sha : code().branch);
    prepared.env.emplace_back("GIT_COMMIT", code().sha);
    prepared.env.emplace_back("GIT_BRANCH", code().branch);
  }
  return prepared;
}

Result<std::vector<wire::SecretValue>> LocalHost::secrets(const model::JobSpec& job) {
  std::set<std::string> names;
  for (const model::SecretUse& use : job.secrets) names.insert(use.name);
  for (const model::StepSpec& step : job.steps) {
    for (const model::SecretUse& use : step.secrets) names.insert(use.name);
  }
  std::vector<wire::SecretValue> values;
  for (const std::string& name : names) {
    const auto found = context_.secrets.find(name);
    if (found == context_.secrets.end()) {
      return fail(ErrorKind::not_found, "secret " + name + " was not given: add --secret " + name);
    }
    values.push_back({name, found->second});
  }
  return values;
}

worker::CacheScopes LocalHost::cache_scopes(const model::JobSpec& job) {
  worker::CacheOwner owner;
  owner.event = context_.event;
  owner.branch = code().branch;
  owner.project = own_is_apart_ ? project_of(spec(), code()) : project_of_source();
  if (!context_.is_foreign && !own_is_apart_) {
    owner.project = context_.tree.remote_url.empty() ? context_.project : context_.tree.remote_url;
    owner.default_branch = context_.tree.default_branch;
  }
  owner.pull_request = context_.pull_request;
  owner.trusted = job.may_write_trusted_cache;
  return worker::scopes_of(owner);
}

void LocalHost::tell(const model::JobSpec& job, const std::string& text) { context_.tell(job, "cache", text); }

void LocalHost::tell_of_service(const model::JobSpec& job, const std::string& text) {
  context_.tell(job, "service", text);
}

// A line each: of bytes one in two seconds is enough, whatever else is said is said.
void LocalHost::image_progress(const model::JobSpec& job, const sandbox::ImageNews& news) {
  const os::Deadline now = os::Clock::now();
  if (news.done_bytes > 0 && now < next_progress_) return;
  next_progress_ = now + std::chrono::seconds(2);
  context_.tell(job, "image", news.text);
}

void LocalHost::started(const model::JobSpec& job, const std::filesystem::path& journal) {
  reports_.began({job.attempt, journal.lexically_relative(context_.state_dir).string()});
}

void LocalHost::progress(const model::JobSpec& job, std::uint64_t journal_bytes) {
  reports_.advanced({job.attempt, journal_bytes});
}

void LocalHost::held(const model::JobSpec& job, const wire::Held& held) {
  if (context_.held) return context_.held(job);
  const std::string which = fmt::format("{} {}", job.run.value, cli::shell_quoted(job.job));
  const auto tell = [&](const std::string& text) { context_.tell(job, std::string(cli::kHeldRemark), text); };
  tell(fmt::format("held {} step `{}`: {}; for {} at most", held.can_retry ? "after" : "before", held.step, held.why,
                   to_short_text(held.limit)));
  tell("  look into it:   slipway attach " + which);
  tell("  go on:          slipway continue " + which);
  if (held.can_retry) tell("  run it again:   slipway retry " + which);
  tell("  end the job:    slipway abort " + which);
}

Result<std::string> LocalHost::answer(const model::JobSpec& job, const std::string& kind, const std::string& json,
                                      const os::CallLimit& limit) {
  if (kind == "state") return answer_state(job, json);
  if (kind == "changed_files") return answer_changed_files(json, limit);
  if (kind == "git_info") return answer_git_info(limit);
  return fail(ErrorKind::invalid, "slipway run cannot answer `" + kind + "`");
}

Result<std::string> LocalHost::trigger(const model::JobSpec& job, const std::string& json, bool took_untrusted,
                                       const os::CallLimit& limit) {
  const auto answers = std::make_shared<engine::TriggerAnswers>(1);
  reports_.asks({job.attempt, {json}, took_untrusted, answers});
  const std::vector<engine::TriggerAnswer> given = answers->pop(1, limit);
  if (given.empty()) return fail(ErrorKind::unavailable, "the run is ending");
  std::vector<std::string> refused, joined;
  for (const engine::TriggerAnswer::Job& one : given.front().jobs) {
    if (!one.refused.empty()) {
      refused.push_back(one.name.empty() ? one.refused : fmt::format("job `{}`: {}", one.name, one.refused));
    } else if (!one.as.empty()) {
      joined.push_back(one.as);
    }
  }
  if (!refused.empty() && !joined.empty()) refused.push_back(join(joined, ", ") + " joined the run all the same");
  return wire::trigger_answer_json(join(refused, "; "));
}

// Code from elsewhere reads and writes nothing of the project that the user stands in.
std::string LocalHost::project_of_source() const {
  return context_.is_foreign ? project_of(context_.source_spec, context_.source) : context_.project;
}

Result<std::string> LocalHost::answer_state(const model::JobSpec& job, const std::string& text) {
  SW_TRY(const json::object asked, parse_object(text.empty() ? "{}" : text, "the question"));
  const std::string what = text_at(asked, "what");
  return context_.reader.with([&](std::unique_ptr<store::Store>& reader) {
    const ProjectState state(*reader, context_.state_dir, project_of_source(), {job.run, job.job});
    return answer_question(state, what, text_at(asked, what == "deploy_in_progress" ? "environment" : "job"));
  });
}

Result<std::string> LocalHost::answer_git_info(const os::CallLimit& limit) {
  source::WorkingTree tree = context_.tree;
  if (is_own_tree()) return source::git_info(tree, limit);
  if (context_.is_foreign || own_is_apart_) {
    SW_TRY(tree, source::read_working_tree(code().directory, limit));
    tree.remote_url = source::without_credentials(code().url);
  }
  tree.branch = code().branch;
  tree.sha = code().sha;
  return source::git_info(tree, limit);
}

Result<std::string> LocalHost::answer_changed_files(const std::string& text, const os::CallLimit& limit) {
  SW_TRY(const json::object asked, parse_object(text.empty() ? "{}" : text, "the question"));
  if (code().git_dir.empty()) return fail(ErrorKind::not_found, "the source has no history");
  const std::string from = text_at(asked, "from");
  const std::string to = text_at(asked, "to");
  SW_TRY(const std::vector<std::string> files,
         source::changed_between(code().git_dir, from.empty() ? "HEAD^" : from, to.empty() ? "HEAD" : to, limit));
  json::array names;
  for (const std::string& file : files) names.emplace_back(file);
  return json::serialize(json::object{{"files", std::move(names)}});
}

}  // namespace slipway::program
