#include "worker/session.h"

#include <fcntl.h>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/scope_exit.h"
#include "base/wall_clock.h"
#include "model/trust.h"
#include "os/wait.h"
#include "wire/owner_json.h"

namespace slipway::worker {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr auto kSendLimit = 10s;     // init reads its leash all the time
constexpr auto kAnswerLimit = 60s;   // of a question to git or the store
constexpr auto kStoreLimit = 10min;  // of copying one bundle into the store
constexpr auto kGather = wire::kGatherLimit + 30s;
constexpr std::size_t kMaxBundlesOpen = 32;

// A cache is named by its key; an artifact by its name.
struct BundleName {
  bool is_cache = false;
  std::string name;
};

Result<BundleName> bundle_name(const json::object& asked) {
  const std::string kind = text_at(asked, "kind");
  if (kind != "artifact" && kind != "cache") return fail(ErrorKind::invalid, "unknown kind of bundle: " + kind);
  return BundleName{kind == "cache", text_at(asked, "name")};
}

}  // namespace

AttemptSession::AttemptSession(const DriverParts& parts, const model::JobSpec& job, AttemptControl& control,
                               sandbox::Started sandbox, Siblings* siblings, const ServiceRole* role)
    : parts_(parts),
      job_(job),
      control_(control),
      leash_(std::move(sandbox.leash)),
      lost_(std::move(sandbox.lost)),
      siblings_(siblings),
      role_(role),
      visitors_(control, [this](const wire::ToInit& message) { return send(message, {}); }) {
  if (siblings_ == nullptr) take_note(sandbox.note);
}

Result<void> AttemptSession::leave_note() {
  if (parts_.orphan_grace <= Duration(0) || role_ != nullptr) return {};
  json::array touched;
  for (const std::string& path : this->touched()) touched.emplace_back(path);
  return send(wire::Note{json::serialize(json::object{{"took_untrusted", took_untrusted_}, {"touched", touched}})}, {});
}

// One that cannot be read may have said anything.
void AttemptSession::take_note(const std::string& text) {
  took_untrusted_ = true;
  touched_before_ = {job_.workspace};
  const auto note = parse_object(text, "the note of the last owner");
  if (!note) return;
  const json::value* took = note->if_contains("took_untrusted");
  const json::value* touched = note->if_contains("touched");
  if (took == nullptr || !took->is_bool() || touched == nullptr || !touched->is_array()) return;
  std::vector<std::string> paths;
  for (const json::value& path : touched->get_array()) {
    if (!path.is_string()) return;
    paths.emplace_back(path.get_string());
  }
  took_untrusted_ = took->get_bool();
  touched_before_ = std::move(paths);
}

std::vector<std::string> AttemptSession::touched() const {
  return siblings_ != nullptr ? siblings_->touched() : touched_before_;
}

Result<void> AttemptSession::send(const wire::ToInit& message, const std::vector<int>& fds) {
  return leash_.send(wire::encode(message), fds, os::within(kSendLimit));
}

Result<void> AttemptSession::send_orders(const std::vector<wire::SecretValue>& secrets, const JournalFiles& files) {
  wire::Orders orders;
  orders.job = job_;
  orders.secrets = secrets;
  SW_TRY(std::vector<Input> inputs, find_inputs(orders.cache_news));
  // One message carries a limited number of descriptors: what does not fit goes ahead.
  constexpr std::size_t kMostWithOrders = os::MessageSocket::kMaxFds - wire::kFixedFds;
  std::size_t sent = 0;
  while (inputs.size() - sent > kMostWithOrders) {
    wire::Inputs more;
    std::vector<int> fds;
    for (; fds.size() < os::MessageSocket::kMaxFds && sent < inputs.size(); ++sent) {
      more.inputs.push_back(inputs[sent].where);
      fds.push_back(inputs[sent].bundle.get());
    }
    SW_CHECK(send(std::move(more), fds));
  }
  std::vector<int> fds = {files.journal_fd.get(), files.tail_fd.get()};
  for (; sent < inputs.size(); ++sent) {
    orders.inputs.push_back(inputs[sent].where);
    fds.push_back(inputs[sent].bundle.get());
  }
  if (role_ != nullptr) orders.ready = role_->ready;
  orders.breaks = control_.breaks().at;
  orders.hold_limit = control_.breaks().hold_limit;
  SW_CHECK(send(orders, fds));
  return leave_note();
}

Result<std::vector<AttemptSession::Input>> AttemptSession::find_inputs(std::vector<std::string>& cache_news) {
  if (job_.uses_artifacts.size() + job_.cache.size() > wire::kMaxInputs) {
    return fail(ErrorKind::invalid, fmt::format("{} artifacts and caches to begin with: a job may have {}",
                                                job_.uses_artifacts.size() + job_.cache.size(), wire::kMaxInputs));
  }
  std::vector<Input> inputs;
  std::vector<std::pair<model::ArtifactUse, std::string>> wanted;
  for (const model::ArtifactUse& use : job_.uses_artifacts) {
    wanted.emplace_back(use, job_.workspace + "/inputs/" + use.name);
  }
  if (job_.restore_workspace) {
    wanted.emplace_back(model::ArtifactUse{model::kept_workspace_name(job_.job), job_.job}, job_.workspace + "/src");
  }
  for (const auto& [use, place] : wanted) {
    SW_TRY(const Artifact artifact, parts_.artifacts.find(job_.run, use));
    if (artifact.untrusted) {
      const auto allowed =
          model::check_tainted_input(job_, fmt::format("the artifact `{}` of job {}", artifact.name, artifact.job));
      if (!allowed) return fail(ErrorKind::denied, allowed.error().what + " (slipway help E112)");
      took_untrusted_ = true;
    }
    SW_TRY(os::Fd bundle, parts_.artifacts.open(artifact));
    inputs.push_back({{place, false}, std::move(bundle)});
  }
  const CacheScopes scopes = parts_.host.cache_scopes(job_);
  for (const model::CacheSpec& cache : job_.cache) {
    auto found = parts_.caches.find(scopes, cache.key, cache.restore, wall_now(), within(kSendLimit));
    if (!found) {  // a job runs without its caches too
      parts_.host.tell(job_, "cache " + cache.key + ": not restored: " + found.error().what);
      continue;
    }
    std::optional<CacheHit> hit = *std::move(found);
    if (!hit) {
      cache_news.push_back("cache " + cache.key + ": nothing stored yet");
      continue;
    }
    if (hit->entry.untrusted && !model::check_tainted_input(job_, "the cache")) {
      cache_news.push_back("cache " + hit->entry.key +
                           ": left alone: untrusted source may have written it, and this job " + "holds secrets");
      continue;
    }
    took_untrusted_ = took_untrusted_ || hit->entry.untrusted;
    cache_news.push_back("cache " + hit->entry.key + ": restored" + (hit->exact ? "" : " for " + cache.key));
    inputs.push_back({{"/", true}, std::move(hit->bundle)});  // paths of caches are kept whole
  }
  return inputs;
}

Result<void> AttemptSession::serve(os::Deadline deadline) {
  while (!finished_) {
    std::vector<int> fds = {leash_.fd(), control_.wake_fd(), siblings_ != nullptr ? siblings_->wake_fd() : -1};
    if (lost_) fds.push_back(lost_.get());
    const std::size_t own = fds.size();
    for (const int socket : visitors_.sockets()) fds.push_back(socket);
    // Init holds a job that is held to its limit, and to its own times once it goes on.
    const os::Deadline until = held_since_ && !stopping_ ? hold_ends_ : deadline;
    SW_TRY(const std::vector<std::size_t> ready, os::wait_any_readable(fds, {{}, until}));
    for (const std::size_t index : ready) {
      if (index >= own) {
        SW_CHECK(visitors_.see_off(fds[index]));
      } else if (index == 2) {
        SW_CHECK(answer_for_siblings());
      } else if (index == 3) {
        if (!finished_) return fail(ErrorKind::unavailable, "whoever keeps the sandbox is gone");
      } else if (index == 0) {
        const os::Deadline began = os::Clock::now();
        const std::optional<os::Deadline> held = held_since_;
        SW_CHECK(serve_one());
        // Time in which init waited for an answer of this thread, or for a person, is not init's.
        const os::Deadline counts_from = held && !held_since_ && !stopping_ ? *held : began;
        if (deadline != os::Deadline::max()) deadline += os::Clock::now() - counts_from;
        // The steps are done: from here on init's own limit for gathering holds, not the job's timeout.
        if (std::exchange(gathering_began_, false) && !stopping_) deadline = std::max(deadline, began + kGather);
      } else {
        SW_CHECK(take_cancel(deadline));
        SW_CHECK(visitors_.let_in());
      }
    }
  }
  return {};
}

Result<void> AttemptSession::take_cancel(os::Deadline& deadline) {
  const std::optional<wire::Cancel> order = control_.take();
  if (!order) return {};
  stopping_ = true;
  SW_CHECK(send(*order, {}));
  // Init ends the job within its grace; what is later than that is ended from here. A hold ends with it.
  if (held_since_ && deadline != os::Deadline::max()) deadline += os::Clock::now() - *held_since_;
  deadline = std::min(deadline, os::Clock::now() + (order->at_once ? Duration(0) : job_.grace) + kOverrun);
  return {};
}

Result<void> AttemptSession::serve_one() {
  SW_TRY(os::Message message, leash_.receive(os::within(kSendLimit)));
  SW_TRY(const wire::ToOwner said, wire::decode_to_owner(message.text));
  return std::visit(Overloaded{
                        [](const wire::Running&) -> Result<void> { return {}; },
                        [&](const wire::Ready&) -> Result<void> {
                          if (role_ != nullptr && role_->on_ready) role_->on_ready();
                          return {};
                        },
                        [&](const wire::Progress& progress) -> Result<void> {
                          parts_.host.progress(job_, progress.journal_bytes);
                          return {};
                        },
                        [&](const wire::Request& request) { return answer(request, std::move(message.fds)); },
                        [](const wire::Kept&) -> Result<void> {
                          return fail(ErrorKind::invalid, "slipway-init spoke of an owner before this one");
                        },
                        [](const wire::Ended&) -> Result<void> {
                          return fail(ErrorKind::invalid, "a job's slipway-init spoke like a sibling's");
                        },
                        [&](const wire::Attached& answer) -> Result<void> {
                          visitors_.attached(answer, message.fds);
                          return {};
                        },
                        [&](const wire::AttachEnded& end) -> Result<void> {
                          visitors_.ended(end);
                          return {};
                        },
                        [&](const wire::Held& held) -> Result<void> {
                          if (!held_since_) held_since_ = os::Clock::now();
                          hold_ends_ = os::Clock::now() + held.limit + job_.grace + kOverrun;
                          control_.set_state({{}, {}, held.step, held.why, held.can_retry});
                          parts_.host.held(job_, held);
                          return {};
                        },
                        [&](const wire::Resumed&) -> Result<void> {
                          held_since_.reset();
                          control_.set_state({});
                          return {};
                        },
                        [&](const wire::Finished& last) -> Result<void> {
                          parts_.host.progress(job_, last.journal_bytes);
                          finished_ = true;
                          return {};
                        },
                    },
                    said);
}

Result<void> AttemptSession::answer_for_siblings() {
  for (const Siblings::Answer& answer : siblings_->take_answers()) {
    std::vector<int> fds;
    for (const os::Fd& file : answer.files) fds.push_back(file.get());
    SW_CHECK(send(wire::Reply{answer.id, true, wire::encode(answer.reply)}, fds));
  }
  return {};
}

Result<void> AttemptSession::start_sibling(const wire::Request& request, std::vector<os::Fd> fds) {
  if (siblings_ == nullptr) {
    return fail(ErrorKind::unavailable,
                "the slipway that began this job died: the one that took it over can start no sandbox beside it");
  }
  SW_TRY(wire::SandboxRequest asked, wire::decode_sandbox_request(request.json));
  siblings_->note_touched(asked);
  SW_CHECK(leave_note());  // before anything is written
  return siblings_->start(request.id, std::move(asked), std::move(fds));
}

Result<void> AttemptSession::answer(const wire::Request& request, std::vector<os::Fd> fds) {
  if (request.kind == "sandbox") {
    const auto begun = start_sibling(request, std::move(fds));
    if (begun) return {};  // answered when it has ended
    return send(wire::Reply{request.id, false, wire::error_json(begun.error())}, {});
  }
  int fd = -1;
  const Result<std::string> result = [&]() -> Result<std::string> {
    if (request.kind == "open_bundle") return open_bundle(request, fd);
    if (request.kind == "close_bundle") return close_bundle(request);
    if (request.kind == "stop_sandbox") {
      SW_TRY(const wire::StopSandbox stop, wire::decode_stop_sandbox(request.json));
      if (siblings_ != nullptr) siblings_->stop(stop);
      return std::string("{}");
    }
    if (request.kind == "trigger")
      return parts_.host.trigger(job_, request.json, took_untrusted_, within(kAnswerLimit));
    return parts_.host.answer(job_, request.kind, request.json, within(kAnswerLimit));
  }();
  wire::Reply reply{request.id, result.has_value(), {}};
  if (result) {
    reply.json = *result;
  } else if (result.error().kind == ErrorKind::conflict) {
    reply.json = wire::needless_json();
  } else {
    reply.json = wire::error_json(result.error());
  }
  return send(reply, fd >= 0 ? std::vector<int>{fd} : std::vector<int>{});
}

Result<std::string> AttemptSession::open_bundle(const wire::Request& request, int& fd) {
  gathering_began_ = true;
  if (bundles_.size() >= kMaxBundlesOpen) return fail(ErrorKind::exhausted, "too many bundles are open");
  SW_TRY(const json::object asked, parse_object(request.json, "a request of slipway-init"));
  SW_TRY(const BundleName which, bundle_name(asked));
  OpenBundle bundle{which.name, nullptr, std::nullopt};
  if (which.is_cache) {
    SW_TRY(const bool stored, parts_.caches.has(parts_.host.cache_scopes(job_), which.name, within(kSendLimit)));
    if (stored) return fail(ErrorKind::conflict, "a cache of this key is stored already");
    SW_TRY(objects::StagedFile staged, parts_.caches.begin());
    bundle.cache.emplace(std::move(staged));
    fd = bundle.cache->fd();
  } else {
    SW_CHECK(Artifacts::check_name(which.name));
    SW_TRY(bundle.artifact, parts_.artifacts.begin());
    fd = bundle.artifact->fd();
  }
  bundles_.emplace(request.id, std::move(bundle));
  return json::serialize(json::object{{"bundle", request.id}});
}

Result<std::string> AttemptSession::close_bundle(const wire::Request& request) {
  SW_TRY(const json::object asked, parse_object(request.json, "a request of slipway-init"));
  const json::value* number = asked.if_contains("bundle");
  boost::system::error_code bad;
  const auto id = number == nullptr ? 0 : number->to_number<std::uint64_t>(bad);
  const auto found = bundles_.find(id);
  if (bad || found == bundles_.end()) return fail(ErrorKind::not_found, "no such bundle is open");
  OpenBundle bundle = std::move(found->second);
  bundles_.erase(found);
  const json::value* complete = asked.if_contains("complete");
  if (complete == nullptr || !complete->is_bool() || !complete->get_bool()) return std::string("{}");
  return bundle.cache ? save_cache(std::move(bundle)) : store_artifact(std::move(bundle));
}

Result<std::string> AttemptSession::save_cache(OpenBundle bundle) {
  const auto spec = std::ranges::find(job_.cache, bundle.name, &model::CacheSpec::key);
  const model::CacheSpec of_unknown_paths{bundle.name, {}, {""}};
  const bool untrusted =
      took_untrusted_ || model::may_be_of_source(job_, spec == job_.cache.end() ? of_unknown_paths : *spec, touched());
  SW_TRY(const Caches::Saved saved, parts_.caches.save(parts_.host.cache_scopes(job_), bundle.name, untrusted,
                                                       *std::move(bundle.cache), wall_now(), within(kStoreLimit)));
  parts_.host.tell(job_, "cache " + saved.entry.key + ": saved");
  for (const CacheEntry& gone : saved.evicted) {
    parts_.host.tell(job_, "cache " + gone.key + ": removed to make room, last used " + to_rfc3339(gone.last_used));
  }
  return std::string("{}");
}

Result<std::string> AttemptSession::store_artifact(OpenBundle bundle) {
  Artifact facts;
  facts.run = job_.run;
  facts.job = job_.job;
  facts.attempt = job_.attempt;
  facts.name = bundle.name;
  facts.created = wall_now();
  facts.untrusted = took_untrusted_ || model::may_be_of_source(job_, bundle.name, touched());
  for (const model::ArtifactSpec& spec : job_.artifacts) {
    if (spec.name == bundle.name && spec.expires) facts.expires = facts.created + *spec.expires;
  }
  SW_TRY(const Artifact stored, parts_.artifacts.store(std::move(facts), *bundle.artifact, within(kStoreLimit)));
  return json::serialize(json::object{{"url", "artifact:" + stored.run.value + "/" + stored.name}});
}

}  // namespace slipway::worker
