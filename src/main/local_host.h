#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/executor.h"
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
  source::Sources& sources;
  source::WorkingTree tree;
  source::SourceSpec source_spec;  ///< pinned
  bool is_foreign = false;         ///< code from elsewhere than `tree`
  source::Prepared source;
  model::EventKind event = model::EventKind::push;
  std::string pull_request;
  std::map<std::string, std::string> secrets;  ///< by name; only ever in memory
  /// `code`: what it is about, `cache`, `image` or `service`.
  std::function<void(const model::JobSpec&, std::string code, const std::string&)> tell;
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
  Result<std::string> answer(const model::JobSpec& job, const std::string& kind, const std::string& json,
                             const os::CallLimit& limit) override;

 private:
  std::string project_of_source() const;
  Result<std::string> answer_state(const std::string& json);
  Result<std::string> answer_git_info(const os::CallLimit& limit);
  Result<std::string> answer_changed_files(const std::string& json, const os::CallLimit& limit);

  LocalContext& context_;
  engine::Reports& reports_;
  os::Deadline next_progress_{};                // when one may be told again
  std::optional<source::Prepared> own_source_;  // where the job asks for another checkout than the run's
};

}  // namespace slipway::program
