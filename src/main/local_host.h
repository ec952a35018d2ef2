#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/executor.h"
#include "main/job_code.h"
#include "os/guarded.h"
#include "source/source.h"
#include "source/working_tree.h"
#include "store/store.h"
#include "worker/attempt_driver.h"

namespace slipway::program {

/// What all attempts of one `slipway run` share. Made before the first starts, alive until the last has ended.
struct LocalContext {
  std::string project;
  std::filesystem::path state_dir;
  std::filesystem::path sdk;  ///< empty: sandboxes have none
  source::Sources& sources;
  source::WorkingTree tree;
  source::SourceSpec source_spec;  ///< pinned
  bool is_foreign = false;         ///< code from elsewhere than `tree`
  source::Prepared source;
  model::Trust source_trust = model::Trust::trusted, checkout_trust = model::Trust::trusted;
  std::optional<source::Prepared> checkout;  ///< that the definitions are part of; none: `source`
  JobCode& code;
  model::EventKind event = model::EventKind::push;
  std::string pull_request;
  std::map<std::string, std::string> secrets;  ///< by name; only ever in memory
  /// `code`: what it is about, `cache`, `image`, `service` or cli::kHeldRemark.
  std::function<void(const model::JobSpec&, std::string code, const std::string&)> tell;
  std::function<void(const model::JobSpec&)> held = {};  ///< in place of telling how to come in
  /// For questions of jobs about other runs; a connection of its own, since the dispatcher's belongs to its thread.
  os::Guarded<std::unique_ptr<store::Store>> reader;
};

/// What one attempt needs of `slipway run`.
class LocalHost final : public worker::AttemptHost {
 public:
  LocalHost(LocalContext& context, engine::Reports& reports) : context_(context), reports_(reports) {}

  Result<worker::PreparedSource> prepare_source(const model::JobSpec& job, const os::CallLimit& limit) override;
  Result<std::vector<wire::SecretValue>> secrets(const model::JobSpec& job) override;
  worker::CacheScopes cache_scopes(const model::JobSpec& job) override;
  void tell(const model::JobSpec& job, const std::string& text) override;
  void image_progress(const model::JobSpec& job, const sandbox::ImageNews& news) override;
  void started(const model::JobSpec& job, const std::filesystem::path& journal) override;
  void tell_of_service(const model::JobSpec& job, const std::string& text) override;
  void progress(const model::JobSpec& job, std::uint64_t journal_bytes) override;
  void held(const model::JobSpec& job, const wire::Held& held) override;
  Result<std::string> answer(const model::JobSpec& job, const std::string& kind, const std::string& json,
                             const os::CallLimit& limit) override;
  Result<std::string> trigger(const model::JobSpec& job, const std::string& json, bool took_untrusted,
                              const os::CallLimit& limit) override;

 private:
  Result<void> find_source(const model::JobSpec& job, const os::CallLimit& limit);
  Result<void> add_checkout(const model::JobSpec& job, worker::PreparedSource& prepared);
  Result<void> keep_repository_apart(const model::JobSpec& job, bool is_gits, worker::PreparedSource& prepared);
  static Result<void> add_plugins(const std::filesystem::path& directory, const std::string& inside,
                                  worker::PreparedSource& prepared);
  Result<void> add_job_code(const model::JobSpec& job, worker::PreparedSource& prepared, const os::CallLimit& limit);
  bool is_own_tree() const { return !context_.is_foreign && spec().kind == "directory" && !own_is_apart_; }
  const source::SourceSpec& spec() const { return own_spec_ ? *own_spec_ : context_.source_spec; }
  const source::Prepared& code() const { return own_source_ ? *own_source_ : context_.source; }
  std::string project_of_source() const;
  Result<std::string> answer_state(const model::JobSpec& job, const std::string& json);
  Result<std::string> answer_git_info(const os::CallLimit& limit);
  Result<std::string> answer_changed_files(const std::string& json, const os::CallLimit& limit);

  LocalContext& context_;
  engine::Reports& reports_;
  os::Deadline next_progress_{};                // when one may be told again
  std::optional<source::Prepared> own_source_;  // where the job asks for another checkout than the run's
  std::optional<source::SourceSpec> own_spec_;  // of it
  bool own_is_apart_ = false;                   // it is of another place than the run's
  std::optional<source::Prepared> job_code_;
};

}  // namespace slipway::program
