#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/event.h"

namespace slipway::program {

/// `--event-file`: our own event format (docs/events.md), with the names of model::Event. What a forge sends is read by
/// the coordinator.
class EventFile {
 public:
  /// Errors: of the file; `invalid` for what is no JSON object, an unknown event, a value of a wrong type.
  static Result<EventFile> read(const std::filesystem::path& path);
  /// `from`: for messages.
  static Result<EventFile> parse(std::string payload, const std::string& from);

  std::optional<model::EventKind> kind() const { return kind_; }
  /// Of the code that the event is about.
  model::Trust trust() const;
  /// Sets what the file says and leaves the rest.
  void apply_to(model::Event& event) const;
  /// Keys that mean nothing here: only jobs see them.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  EventFile() = default;

  std::string text_;
  std::optional<model::EventKind> kind_;
  model::Event said_;
  std::vector<std::string> texts_;  // which texts of `said_` the file has
  std::vector<std::string> warnings_;
};

}  // namespace slipway::program
