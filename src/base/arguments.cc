#include "base/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace cce::args {

Option* Option::Required() {
  option_->required();
  return this;
}

Option* Option::ShowDefault() {
  option_->capture_default_str();
  return this;
}

Option* Option::OneValueEach() {
  option_->allow_extra_args(false);
  return this;
}

Option* Option::Needs(const Option* other) {
  option_->needs(other->option_);
  return this;
}

Option* Option::OneOf(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return this;
}

Option* Option::Between(uint64_t least, uint64_t most) {
  option_->check(CLI::Range(least, most));
  return this;
}

Option* Option::Positive() {
  option_->check(CLI::PositiveNumber);
  return this;
}

Option* Option::AtMostBytes(size_t most) {
  option_->check(CLI::Validator(
      [most](std::string& text) {
        return text.size() <= most ? std::string() : "at most " + std::to_string(most) + " bytes";
      },
      "TEXT"));
  return this;
}

template <typename T>
Option* Command::Add(const std::string& name, T& value, const std::string& help) {
  return &options_.emplace_back(app_->add_option(name, value, help));
}

Command* Command::AddCommand(const std::string& name, const std::string& help) {
  return &commands_.emplace_back(app_->add_subcommand(name, help));
}

Option* Command::AddFlag(const std::string& name, bool& value, const std::string& help) {
  return &options_.emplace_back(app_->add_flag(name, value, help));
}

Option* Command::AddOption(const std::string& name, std::string& value, const std::string& help) {
  return Add(name, value, help);
}

Option* Command::AddOption(const std::string& name, uint64_t& value, const std::string& help) {
  return Add(name, value, help);
}

Option* Command::AddOption(const std::string& name, uint32_t& value, const std::string& help) {
  return Add(name, value, help);
}

Option* Command::AddOption(const std::string& name, std::optional<uint16_t>& value,
                           const std::string& help) {
  return Add(name, value, help);
}

Option* Command::AddOption(const std::string& name, std::vector<std::string>& value,
                           const std::string& help) {
  return Add(name, value, help);
}

void Command::Footer(const std::string& text) { app_->footer(text); }
void Command::RequireCommand() { app_->require_subcommand(1); }
void Command::OnParsed(std::function<void()> run) { app_->callback(std::move(run)); }
bool Command::parsed() const { return app_->parsed(); }

Program::Program(const std::string& help) : Program(std::make_unique<CLI::App>(help)) {}
Program::Program(std::unique_ptr<CLI::App> app) : Command(app.get()), own_(std::move(app)) {}
Program::~Program() = default;

void Program::OptionsAnywhere() { app_->fallthrough(); }

std::optional<int> Program::Parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error);
  }
  return std::nullopt;
}

}  // namespace cce::args
