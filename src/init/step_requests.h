#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "init/bundles.h"
#include "init/control_server.h"
#include "init/exposure_scan.h"
#include "init/owner_link.h"
#include "init/record_keeper.h"
#include "init/siblings.h"

namespace slipway::init {

/// An artifact that a step asked for at run time.
struct AskedArtifact {
  std::string name;
  std::vector<std::string> paths;
  std::uint16_t step = 0;
};

/// Does what steps ask for over their control sockets, and keeps what they said until the job ends. One thread.
class StepRequests {
 public:
  /// All outlive this object. `declared`: the job's artifacts, whose names no step may take for others.
  StepRequests(RecordKeeper& records, OwnerLink& owner, Siblings& siblings,
               const std::vector<model::ArtifactSpec>& declared)
      : records_(records), owner_(owner), siblings_(siblings), declared_(declared) {}

  /// Returns what is to be done when the client goes before it is answered.
  ControlServer::OnGone handle(std::uint16_t step, wire::control::Request request,
                               const ControlServer::Respond& respond);

  /// A try of the step begins: what the one before told us not to obey, it did not mean this one.
  void begin(std::uint16_t step) { stopped_.erase(step); }
  /// A line of a step's output that begins with `::` (wire/log_marks.h): what is none of the known is just a line.
  void printed(std::uint16_t step, journal::Stream stream, std::string_view line);
  /// From here on `::slipway-trigger::JSON` on standard output is one of the known.
  void obey_triggers() { obeys_triggers_ = true; }
  /// As `handle`, for what stands in the workspace's files. The error is for the job's author.
  Result<void> set(std::uint16_t step, wire::payload::OutputVariable variable);
  /// All of them, each name once, or none.
  Result<void> set_all(std::uint16_t step, const std::vector<wire::payload::OutputVariable>& variables);
  /// A trigger that nobody waits for: what is wrong with it is an annotation.
  void trigger(std::uint16_t step, std::string_view json, std::string_view where);
  /// `then` is called once the owner has said what became of all triggers.
  void when_answered(std::function<void()> then);

  /// Values registered late are looked for in the journal a piece at a time.
  bool is_scanning() const { return !scans_.empty(); }
  void scan_some();
  /// Tells of what is not searched yet that it will not be.
  void give_up_scans();

  const std::map<std::string, std::string>& outputs() const { return outputs_; }
  /// Those of them that `step` set last.
  std::map<std::string, std::string> outputs_of(std::uint16_t step) const;
  const std::map<std::string, std::string>& vars() const { return vars_; }
  std::uint64_t triggers() const { return triggers_; }
  const std::vector<AskedArtifact>& artifacts() const { return artifacts_; }
  /// Those that `step` asked for: they are the caller's to store.
  std::vector<AskedArtifact> take_artifacts(std::uint16_t step);
  /// How to store `asked`. None: it cannot be, which is told.
  std::optional<BundleTask> task_of(const AskedArtifact& asked, const std::string& workspace);

 private:
  std::map<std::string, std::string>& known_of(const wire::payload::OutputVariable& variable);
  void keep(std::uint16_t step, wire::payload::OutputVariable variable);
  /// Written down, and masked, before anybody is asked: what was asked for is known, whoever dies then.
  Result<std::string> record_trigger(std::uint16_t step, std::string_view json);
  /// `then`: with why it is refused; empty: it is not, or the owner looks at it in the end.
  void ask_about(std::uint16_t step, std::string json, std::function<void(const std::string& refused)> then);
  void trigger_for(std::uint16_t step, std::string_view json, const ControlServer::Respond& respond);
  wire::control::Answer mask(std::uint16_t step, const std::string& value);
  Result<void> annotate(std::uint16_t step, const wire::payload::Annotation& annotation);
  Result<void> keep_artifact(std::uint16_t step, const wire::control::Artifact& artifact);
  ControlServer::OnGone run_beside(std::uint16_t step, wire::SandboxRequest request,
                                   const ControlServer::Respond& respond);
  void ask_owner(const wire::control::AskOwner& ask, const ControlServer::Respond& respond);
  void mask_again(std::uint16_t step);
  void begin_scan(std::uint16_t step, std::string_view value);

  struct Scan {
    ExposureScan scan;
    std::uint16_t by_step = 0;
  };
  RecordKeeper& records_;
  OwnerLink& owner_;
  Siblings& siblings_;
  const std::vector<model::ArtifactSpec>& declared_;
  std::map<std::string, std::string> outputs_, vars_;
  std::map<std::string, std::uint16_t> output_setters_;
  std::uint64_t variable_bytes_ = 0;
  std::uint64_t trigger_bytes_ = 0, triggers_ = 0;
  std::size_t triggers_open_ = 0;  // not answered yet
  std::function<void()> on_answered_;
  std::size_t annotations_ = 0;
  bool obeys_triggers_ = false;
  std::map<std::uint16_t, std::string> stopped_;  // by step: until `::TOKEN::` nothing that it prints is obeyed
  std::size_t secrets_ = 0;
  std::vector<AskedArtifact> artifacts_;
  std::size_t artifacts_asked_ = 0;
  std::deque<Scan> scans_;
};

/// Why a value is not masked, for people; empty for `none`.
std::string_view explain(secrets::Weakness weakness);

}  // namespace slipway::init
