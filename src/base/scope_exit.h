#pragma once

#include <utility>

namespace slipway {

/// Runs `undo` when the scope ends, unless released. The callable must not fail.
template <class F>
class ScopeExit {
 public:
  explicit ScopeExit(F undo) : undo_(std::move(undo)) {}
  ~ScopeExit() {
    if (armed_) undo_();
  }
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  void release() { armed_ = false; }

 private:
  F undo_;
  bool armed_ = true;
};

/// `std::visit(Overloaded{[](const A&) {...}, [](const B&) {...}}, variant)`.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace slipway
