#include "cli/attempt_notes.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/configuration.h"
#include "journal/reader.h"
#include "journal/seal.h"
#include "os/files.h"

namespace slipway::cli {

namespace {

void follow_step(const journal::Record& record, AttemptNotes& notes) {
  if (record.type == journal::RecordType::step_started) {
    auto begun = wire::payload::decode<wire::payload::StepStarted>(record.payload);
    if (begun) notes.steps[record.step] = {std::move(begun->name), record.time, begun->parent};
  } else if (record.type == journal::RecordType::step_finished) {
    auto ended = wire::payload::decode<wire::payload::StepFinished>(record.payload);
    if (!ended || ended->will_retry) return;
    const model::StepResult& result = ended->result;
    notes.steps[record.step] = {result.name, result.started, result.parent,
                                result,      ended->reason,  ended->failure_allowed};
  }
}

class NoteTaker {
 public:
  NoteTaker(AttemptNotes& notes, std::size_t most) : notes_(notes), most_(most) {}

  void take(const journal::Record& record) {
    switch (record.type) {
      case journal::RecordType::annotation: return keep<wire::payload::Annotation>(record, notes_.annotations);
      case journal::RecordType::notice: return keep<wire::payload::Notice>(record, notes_.notices);
      case journal::RecordType::artifact: {
        auto artifact = wire::payload::decode<wire::payload::Artifact>(record.payload);
        const bool is_cache = artifact && artifact->kind == wire::payload::Artifact::Kind::cache;
        if (is_cache) keep(*std::move(artifact), notes_.caches_saved);  // artifacts stand in the store
        return;
      }
      case journal::RecordType::trigger: {
        auto trigger = wire::payload::decode<wire::payload::Trigger>(record.payload);
        if (trigger) keep(std::move(trigger->json), notes_.triggers);
        return;
      }
      default: return follow_step(record, notes_);
    }
  }

 private:
  template <class T>
  void keep(T note, std::vector<T>& to) {
    if (to.size() < most_)
      to.push_back(std::move(note));
    else
      ++notes_.left_out;
  }
  template <class T>
  void keep(const journal::Record& record, std::vector<T>& to) {
    auto decoded = wire::payload::decode<T>(record.payload);
    if (decoded) keep(*std::move(decoded), to);
  }

  AttemptNotes& notes_;
  std::size_t most_;
};

}  // namespace

AttemptNotes read_notes(const std::filesystem::path& journal, const NoteLimits& limits) {
  AttemptNotes notes;
  auto reader = journal::open_reader(journal);
  if (!reader) return notes;
  NoteTaker taker(notes, limits.of_a_kind);
  while (reader->position() < limits.journal_bytes) {
    const auto next = reader->next();
    if (!next || next->what == journal::Next::What::end || next->what == journal::Next::What::torn) return notes;
    if (next->what == journal::Next::What::record) taker.take(next->record);
  }
  const auto size = reader->size();
  if (size && *size > reader->position()) notes.unread_bytes = *size - reader->position();
  return notes;
}

std::vector<std::string> missing_texts(const AttemptNotes& notes) {
  std::vector<std::string> texts;
  if (notes.left_out > 0) {
    texts.push_back(
        fmt::format("{} more annotations and notices of this job are not shown: see its log", notes.left_out));
  }
  if (notes.unread_bytes > 0) {
    texts.push_back(fmt::format("in the last {} of this job's journal nobody looked for annotations: see its log",
                                size_text(notes.unread_bytes)));
  }
  return texts;
}

std::filesystem::path service_journal(const std::filesystem::path& journal, std::string_view service) {
  std::filesystem::path beside = journal;
  beside.replace_filename(fmt::format("{}.{}.journal", journal.stem().string(), service));
  return beside;
}

std::vector<std::string> services_of(const std::filesystem::path& journal) {
  std::vector<std::string> names;
  const std::string begin = journal.stem().string() + ".";
  constexpr std::string_view kEnd = ".journal";
  auto files = os::list_directory(journal.parent_path());
  if (!files) return names;
  for (std::string& name : *files) {  // `ATTEMPT.NAME.journal`, sealed or not
    if (name.ends_with(journal::kSealedSuffix)) name.resize(name.size() - journal::kSealedSuffix.size());
    if (name.size() <= begin.size() + kEnd.size() || !name.starts_with(begin) || !name.ends_with(kEnd)) continue;
    names.push_back(name.substr(begin.size(), name.size() - begin.size() - kEnd.size()));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());  // one that is being sealed has both files
  return names;
}

}  // namespace slipway::cli
