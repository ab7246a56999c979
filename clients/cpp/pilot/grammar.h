// The commands and options of `pilot`, as CLI11 takes them. Only command_line.cc should need this.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_GRAMMAR_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_GRAMMAR_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/pilot/arguments.h"

namespace pilothouse::client {

// Shows our own usage lines, and of a command's text only the first line in the list of commands.
class HelpFormatter : public CLI::Formatter {
 public:
  // Every command needs one.
  void SetUsage(const CLI::App* app, std::string usage) { usages_[app] = std::move(usage); }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_group(std::string group, bool is_positional, std::vector<const CLI::Option*> options) const override;
  std::string make_subcommand(const CLI::App* sub) const override;

 private:
  std::map<const CLI::App*, std::string> usages_;
};

// Fills in `arguments`, which must outlive it, while its app parses.
class Grammar {
 public:
  explicit Grammar(Arguments& arguments);
  CLI::App& app() { return app_; }

 private:
  CLI::App* AddCommand(const std::string& name, Command command, const std::string& group, const std::string& text,
                       const std::string& usage, const std::string& footer);
  // What every command has.
  void SetUp(CLI::App* app, const std::string& group, const std::string& usage, const std::string& footer);
  void AddGlobalOptions();
  void AddStart();
  void AddStartData(CLI::App* start);
  // What is learnt, and how columns are used.
  void AddStartColumns(CLI::App* start);
  // What is held out.
  void AddStartParts(CLI::App* start);
  void AddStartTraining(CLI::App* start);
  // Precision, seed, threads and first parameters.
  void AddStartArithmetic(CLI::App* start);
  void AddStartReports(CLI::App* start);
  void AddStartThen(CLI::App* start);
  void AddWatch();
  void AddWatchOptions(CLI::App* app);
  void AddLooking();
  void AddSteering();
  void AddStartPlugins(CLI::App* start);
  void AddStartCheckpoints(CLI::App* start);
  CLI::Option* AddPluginSpecs(CLI::App* app, const std::function<void(v1::PluginSpec)>& take);
  void AddPlugins();
  CLI::App* AddPluginCommand(CLI::App* plugin, const std::string& name, Command command, const std::string& text,
                             const std::string& usage, const std::string& footer);
  void AddPluginAdd(CLI::App* plugin);
  void AddPluginOptions(CLI::App* add);
  void AddPluginSchedule(CLI::App* plugin);
  // checkpoint, checkpoints, rewind, fork and replay.
  void AddLineage();
  void AddCheckpoint();
  void AddRewind();
  void AddFork();
  void AddForkChanges(CLI::App* fork);
  void AddForkThen(CLI::App* fork);
  void AddReplay();
  // history and export.
  void AddHistory();
  void AddHistoryOptions(CLI::App* app, const std::string& usual_kinds);
  // predict and evaluate.
  void AddAnswers();
  void AddModel(CLI::App* app, const std::string& description);
  void AddCompletion();
  void AddRun(CLI::App* app);
  // [RUN] followed by `count` words, which `use` gets.
  void AddWords(CLI::App* app, size_t count, std::function<void(const std::vector<std::string>&)> use);
  // `at`: the names of the option for the batch at which to take effect.
  void AddChangeOptions(CLI::App* app, const std::string& at = "--at-batch");

  Arguments& arguments_;
  std::shared_ptr<HelpFormatter> formatter_ = std::make_shared<HelpFormatter>();
  CLI::App app_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_GRAMMAR_H_
