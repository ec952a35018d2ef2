#include "model/concurrency.h"

#include <algorithm>
#include <utility>

namespace slipway::model {

ConcurrencyGroups::Answer ConcurrencyGroups::enter(const std::string& group, Concurrency::Policy policy,
                                                   const Holder& who) {
  Answer answer;
  const auto [at, is_new] = groups_.try_emplace(group, Members{who, {}});
  Members& members = at->second;
  if (is_new || members.inside == who) return answer;
  answer.verdict = Answer::Verdict::waits;
  if (std::find(members.waiting.begin(), members.waiting.end(), who) != members.waiting.end()) return answer;
  if (policy == Concurrency::Policy::queue) {
    if (members.waiting.size() >= kMaxWaiting) {
      answer.verdict = Answer::Verdict::refused;
      return answer;
    }
  } else {
    answer.displaced.assign(members.waiting.begin(), members.waiting.end());
    members.waiting.clear();
    if (policy == Concurrency::Policy::cancel_running) answer.to_cancel = members.inside;
  }
  members.waiting.push_back(who);
  return answer;
}

std::optional<Holder> ConcurrencyGroups::leave(const std::string& group, const Holder& who) {
  const auto at = groups_.find(group);
  if (at == groups_.end()) return std::nullopt;
  Members& members = at->second;
  if (members.inside != who) {
    std::erase(members.waiting, who);
    return std::nullopt;
  }
  if (members.waiting.empty()) {
    groups_.erase(at);
    return std::nullopt;
  }
  members.inside = members.waiting.front();
  members.waiting.pop_front();
  return members.inside;
}

std::size_t ConcurrencyGroups::waiting(const std::string& group) const {
  const auto at = groups_.find(group);
  return at == groups_.end() ? 0 : at->second.waiting.size();
}

}  // namespace slipway::model
