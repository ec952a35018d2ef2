#pragma once

#include <span>

#include "cli/command_table.h"

/// The options of commands, by what they are for; command_table.cc says which command has which. Inside cli/ only.
namespace slipway::cli {

// --- what is to be run, and how: option_tables_run.cc ---
extern const std::span<const OptionRow> kFileOptions;
extern const std::span<const OptionRow> kFileFlagOptions;
extern const std::span<const OptionRow> kSelectionOptions;
extern const std::span<const OptionRow> kRegistryOptions;
extern const std::span<const OptionRow> kJobFileOptions;
extern const std::span<const OptionRow> kConvertOptions;
extern const std::span<const OptionRow> kSecretOptions;
extern const std::span<const OptionRow> kRunOptions;
extern const std::span<const OptionRow> kLintOptions;
extern const std::span<const OptionRow> kPlanOptions;
extern const std::span<const OptionRow> kExplainOptions;
extern const std::span<const OptionRow> kGraphOptions;
extern const std::span<const OptionRow> kDoctorOptions;

// --- what was run, what runs now, and what lies here: option_tables_history.cc ---
extern const std::span<const OptionRow> kRunsListOptions;
extern const std::span<const OptionRow> kRunOfHistoryOptions;
extern const std::span<const OptionRow> kRunsRemoveOptions;
extern const std::span<const OptionRow> kRunsArtifactsOptions;
extern const std::span<const OptionRow> kRunsTestsOptions;
extern const std::span<const OptionRow> kRunsReportOptions;
extern const std::span<const OptionRow> kLogsOptions;
extern const std::span<const OptionRow> kRerunOptions;
extern const std::span<const OptionRow> kShellOptions;
extern const std::span<const OptionRow> kLiveOptions;
extern const std::span<const OptionRow> kAttachCommandOptions;
extern const std::span<const OptionRow> kAttachOptions;
extern const std::span<const OptionRow> kImagesRemoveOptions;
extern const std::span<const OptionRow> kImagesPruneOptions;

}  // namespace slipway::cli
