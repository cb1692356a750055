// A program's arguments: what its commands, options and flags are, and reading them into variables
// (CLI11 behind it, which only arguments.cc compiles). Variables must outlive Parse. A name is
// "--long,-s" for an option and "NAME" for a positional argument. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cce::args {

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option* Required();
  // The variable's value now is shown in the help.
  Option* ShowDefault();
  // One value after each name, so that positional arguments may follow.
  Option* OneValueEach();
  // Not without the other one.
  Option* Needs(const Option* other);

  // What is refused, with a message that names the rule.
  Option* OneOf(const std::vector<std::string>& values);
  Option* Between(uint64_t least, uint64_t most);
  Option* Positive();
  Option* AtMostBytes(size_t most);

 private:
  CLI::Option* option_;
};

// The program itself, or a command of it. Options and commands live as long as the program.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* AddCommand(const std::string& name, const std::string& help);
  Option* AddFlag(const std::string& name, bool& value, const std::string& help);
  Option* AddOption(const std::string& name, std::string& value, const std::string& help = "");
  Option* AddOption(const std::string& name, uint64_t& value, const std::string& help = "");
  Option* AddOption(const std::string& name, uint32_t& value, const std::string& help = "");
  Option* AddOption(const std::string& name, std::optional<uint16_t>& value,
                    const std::string& help = "");
  // Repeatable.
  Option* AddOption(const std::string& name, std::vector<std::string>& value,
                    const std::string& help = "");

  // After the options in the help: examples.
  void Footer(const std::string& text);
  // One of its commands must be given.
  void RequireCommand();
  // Called by Parse where this command was given.
  void OnParsed(std::function<void()> run);
  bool parsed() const;

 protected:
  CLI::App* app_;

 private:
  template <typename T>
  Option* Add(const std::string& name, T& value, const std::string& help);

  std::deque<Command> commands_;
  std::deque<Option> options_;
};

class Program : public Command {
 public:
  explicit Program(const std::string& help);
  ~Program();
  // The program's options may stand after a command, too. Before commands are added.
  void OptionsAnywhere();
  // Empty: go on. Else the program ends with this exit code: 0 after --help, not 0 where the
  // arguments are wrong, which has been said on standard error.
  std::optional<int> Parse(int argc, const char* const* argv);

 private:
  explicit Program(std::unique_ptr<CLI::App> app);
  std::unique_ptr<CLI::App> own_;
};

}  // namespace cce::args
