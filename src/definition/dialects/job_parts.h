#pragma once

#include <string>
#include <vector>

#include "definition/dialects/dialect.h"

/// What jobs of all Reactorcide's dialects share: each part of theirs as a part of ours. Private to dialects/.
namespace slipway::definition {

/// Where one dialect's file becomes ours.
struct Desk {
  Source& source;
  NodeMaker& make;
  const ReadOptions& options;
  Translation& made;

  /// `key` of the file does nothing here: told to the author, and in what is converted above `near`.
  void no_effect(const Node& key, const Node* near, const std::string& what, const std::string& hint = {}) const;
  void comment(const Node* near, std::string text) const { made.comments[near].push_back(std::move(text)); }
};

/// image, run_as, labels, working_dir, limits of `job` into `made`.
void translate_job(const Desk& desk, Node& job, Node* made);
/// Last, so that what a job does stands last.
void translate_command(const Desk& desk, Node& job, Node* made);
/// `cpu` and `memory`: of `resources`, or of a flat file. Null: neither.
Node* translate_resources(const Desk& desk, Node& resources, const Node* near);
/// Variables, and secrets behind `${secret:PATH:KEY}`.
void translate_environment(const Desk& desk, Node* environment, Node* made);
/// depends_on, condition, for_each.
void translate_graph(const Desk& desk, Node& job, Node* made);
/// `triggers` and `paths` as `on`; null: nothing starts it.
Node* translate_triggers(const Desk& desk, Node* triggers, Node* paths);
/// `key` of `from` as it is; not there or empty: nothing.
void put_text(const Desk& desk, Node& from, std::string_view key, Node* made);
/// `job_command`: a script for the job's shell.
void put_script(const Desk& desk, const Node& key, Node& text, Node* made);
Node* seconds_of(const Desk& desk, const Node& value);
void put_priority(const Desk& desk, const Node& key, Node& value, Node* made);

/// What a worker gives a job that says nothing about it.
inline constexpr const char* kStandardCpu = "2";
inline constexpr const char* kStandardMemory = "4Gi";
/// The preset with the variables that jobs of these files find (presets.h).
inline constexpr const char* kReactorcidePreset = "reactorcide";

}  // namespace slipway::definition
