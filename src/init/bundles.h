#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "init/children.h"
#include "init/helper_child.h"
#include "init/owner_link.h"
#include "init/record_keeper.h"
#include "os/bundle.h"
#include "wire/owner_json.h"

namespace slipway::init {

/// Files that a job passes on: one bundle.
struct BundleTask {
  wire::BundleKind kind = wire::BundleKind::artifact;
  std::string name;                ///< of the artifact, or the cache's key
  std::string root;                ///< an absolute directory: paths in the bundle are relative to it
  std::vector<std::string> globs;  ///< relative to `root`
  std::uint16_t step = journal::kNoStep;
  bool may_be_empty = false;  ///< nothing matches: say nothing
};

/// Where the bundle of an artifact begins, and its globs relative to that: the checkout when all lies in it, else the
/// workspace, else `/` (then only for caches). `invalid`: an artifact's path is outside of the workspace.
Result<BundleTask> artifact_task(const std::string& workspace, std::string name, const std::vector<std::string>& paths);
/// Caches keep absolute paths. A path that begins with `~/` is below `home`.
BundleTask cache_task(const std::string& workspace, const std::string& home, std::string key,
                      const std::vector<std::string>& paths);

/// Packs and unpacks bundles in helper children with a step's rights, one after the other. One thread.
class Bundles {
 public:
  /// All outlive this object. `most_bytes`: of all that is packed, as it is stored; a hole in a file takes as much
  /// there as what it stands for, so that a disk limit bounds nothing by itself.
  Bundles(Poller& poller, Children& children, OwnerLink& owner, RecordKeeper& records, std::uint64_t most_bytes)
      : poller_(poller), children_(children), owner_(owner), records_(records), left_{.bytes = most_bytes} {}
  ~Bundles();

  /// Runs `work` as `identity`, with no descriptors but `kept`, behind what runs already; `then` gets its answer.
  using Then = std::function<void(Result<std::string>)>;
  void run(const Identity& identity, std::vector<int> kept, std::function<Result<std::string>()> work, Then then);

  /// Stores `tasks`, behind those of earlier calls, each as far as it goes; what goes wrong is a notice. `then` is
  /// called when all have been tried, with the artifacts that were stored.
  using Stored = std::vector<wire::payload::Artifact>;
  void collect(const Identity& identity, std::deque<BundleTask> tasks, std::function<void(const Stored&)> then);

  /// Unpacks into the job's directories; the first error ends it.
  struct Input {
    std::string directory;
    bool keep_absolute = false;
    int fd = -1;
  };
  void unpack(const Identity& identity, std::deque<Input> inputs, std::function<void(Result<void>)> then);

  /// Ends what is under way: it answers with an error. Artifacts that wait for their turn are told of.
  void abort();
  const std::vector<std::string>& stored() const { return stored_; }

 private:
  struct Current {
    pid_t pid = -1;
    os::Fd answer;
    std::string text;
    Poller::Token watch = 0;
    bool answer_ended = false, child_ended = false;
    Then then;
  };
  struct Waiting {
    Identity identity;
    std::vector<int> kept;
    std::function<Result<std::string>()> work;
    Then then;
  };
  struct Batch {
    Identity identity;
    std::deque<BundleTask> tasks;
    std::function<void(const Stored&)> then;
    Stored stored;
  };
  void read_answer();
  void end_if_done();
  void pack(std::uint64_t bundle, os::Fd out);
  struct Packed {
    std::uint64_t bundle = 0, owner = 0, bytes = 0;
  };
  bool is_of_another(std::uint64_t owner) const;
  void close_bundle(const Packed& packed, const BundleTask& task, Result<std::string> report);
  void next_task();
  void end_task();
  void tell(const BundleTask& task, const std::string& why);
  void give_up(const BundleTask& task, const std::string& why);
  std::uint64_t spend(int bundle);

  Poller& poller_;
  Children& children_;
  OwnerLink& owner_;
  RecordKeeper& records_;
  os::BundleLimits left_;  // for what is still to be packed
  Current current_;
  std::deque<Waiting> waiting_;
  std::deque<Batch> batches_;
  bool is_storing_ = false;  // the first task of the first batch
  std::vector<std::string> stored_;
  bool aborted_ = false;
};

}  // namespace slipway::init
