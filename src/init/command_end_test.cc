#include "init/command_end.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace slipway::init {
namespace {

using Stage = StartFailure::Stage;

CommandEnd failure_at(Stage stage, int error_number) { return end_of(127, StartFailure{stage, error_number}, 0); }

TEST(CommandEnd, TheAuthorIsToldWhatCannotBeRun) {
  EXPECT_EQ(failure_at(Stage::program, ENOENT).outcome, model::Outcome::failed);
  EXPECT_EQ(failure_at(Stage::program, ENOENT).exit_code, 127);
  EXPECT_EQ(failure_at(Stage::program, EACCES).outcome, model::Outcome::failed);
  EXPECT_EQ(failure_at(Stage::program, EACCES).exit_code, 126);
  EXPECT_EQ(failure_at(Stage::working_dir, ENOENT).outcome, model::Outcome::failed);
  EXPECT_EQ(failure_at(Stage::working_dir, EACCES).exit_code, 127);
}

TEST(CommandEnd, WhatIsNotThereIsNamed) {
  const auto reason = [](const CommandNames& names) {
    return end_of(127, StartFailure{Stage::program, ENOENT, names}, 0).reason;
  };
  EXPECT_EQ(reason({"shh", "/", false}), "its program `shh` was not found in this image");
  EXPECT_EQ(reason({"shh", "/", true}), "its shell `shh` was not found in this image (set `shell`, or install it)");
  EXPECT_EQ(reason({std::string(201, 'x'), "/", false}), "its program of 201 bytes was not found in this image");
}

TEST(CommandEnd, TheMachineIsBlamedForWhatItCannotSetUp) {
  for (const Stage stage : {Stage::cgroup, Stage::identity, Stage::filter}) {
    const CommandEnd end = failure_at(stage, EPERM);
    EXPECT_EQ(end.outcome, model::Outcome::infra_failed);
    EXPECT_TRUE(end.not_started);
    EXPECT_NE(end.reason, "");
  }
}

TEST(CommandEnd, OfAProcessIsItsExitCode) {
  EXPECT_EQ(end_of(0, {}, 1).outcome, model::Outcome::succeeded);
  EXPECT_EQ(end_of(7, {}, 0).outcome, model::Outcome::failed);
  EXPECT_EQ(end_of(7, {}, 0).exit_code, 7);
  EXPECT_EQ(end_of(139, {}, 0).reason, "exit code 139 (SIGSEGV)");
  EXPECT_EQ(end_of(137, {}, 1).outcome, model::Outcome::out_of_memory);
  EXPECT_FALSE(end_of(7, {}, 0).not_started);
}

TEST(CommandEnd, WithoutAProcessIsByTheKindOfTheError) {
  for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::not_found}) {
    EXPECT_EQ(end_of(Error{kind, "x"}).outcome, model::Outcome::failed);
  }
  EXPECT_EQ(end_of(Error{ErrorKind::internal, "x"}).outcome, model::Outcome::infra_failed);
  EXPECT_EQ(end_of(Error{ErrorKind::exhausted, "why"}).reason, "why");
}

}  // namespace
}  // namespace slipway::init
