#include "cli/attempt_notes.h"

#include <fmt/format.h>

#include "journal/reader.h"
#include "journal/seal.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kMostNotes = 1'000;
constexpr std::uint64_t kMostBytes = 256ULL << 20U;

void follow_step(const journal::Record& record, AttemptNotes& notes) {
  if (record.type == journal::RecordType::step_started) {
    const auto begun = wire::payload::decode<wire::payload::StepStarted>(record.payload);
    if (begun) notes.steps_running[record.step] = {begun->name, record.time};
  } else if (record.type == journal::RecordType::step_finished) {
    auto ended = wire::payload::decode<wire::payload::StepFinished>(record.payload);
    if (!ended) return;
    notes.steps_running.erase(record.step);
    if (!ended->will_retry) notes.steps_done.push_back(std::move(ended->result));
  }
}

// False: the record is none of ours, or of another version.
template <class T>
bool keep(const journal::Record& record, std::vector<T>& to) {
  auto decoded = wire::payload::decode<T>(record.payload);
  if (!decoded) return false;
  to.push_back(*std::move(decoded));
  return true;
}

bool take(const journal::Record& record, AttemptNotes& notes) {
  switch (record.type) {
    case journal::RecordType::annotation: return keep(record, notes.annotations);
    case journal::RecordType::notice: return keep(record, notes.notices);
    case journal::RecordType::artifact: {
      const auto artifact = wire::payload::decode<wire::payload::Artifact>(record.payload);
      const bool is_cache = artifact && artifact->kind == wire::payload::Artifact::Kind::cache;
      if (is_cache) notes.caches_saved.push_back(*artifact);  // artifacts stand in the store
      return is_cache;
    }
    case journal::RecordType::trigger: {
      const auto trigger = wire::payload::decode<wire::payload::Trigger>(record.payload);
      if (trigger) notes.triggers.push_back(trigger->json);
      return trigger.has_value();
    }
    default: return false;
  }
}

}  // namespace

AttemptNotes read_notes(const std::filesystem::path& journal) {
  AttemptNotes notes;
  auto source = journal::open_source(journal);
  if (!source) return notes;
  auto reader = journal::Reader::open(std::move(*source));
  if (!reader) return notes;
  for (std::size_t taken = 0; !notes.is_cut;) {
    const auto next = reader->next();
    if (!next || next->what == journal::Next::What::end || next->what == journal::Next::What::torn) break;
    if (next->what != journal::Next::What::record) continue;
    follow_step(next->record, notes);
    if (take(next->record, notes)) ++taken;
    notes.is_cut = taken >= kMostNotes || reader->position() > kMostBytes;
  }
  return notes;
}

std::filesystem::path service_journal(const std::filesystem::path& journal, std::string_view service) {
  std::filesystem::path beside = journal;
  beside.replace_filename(fmt::format("{}.{}.journal", journal.stem().string(), service));
  return beside;
}

}  // namespace slipway::cli
