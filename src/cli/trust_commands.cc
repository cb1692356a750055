#include "cli/trust_commands.h"

#include <algorithm>
#include <filesystem>

#include "base/arguments.h"
#include "base/file.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/prompt.h"
#include "crypto/signed.h"

namespace cce::cli {
namespace {

struct TrustOptions {
  std::string attestation;
  std::string name;
};

std::string Join(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? "none" : out;
}

std::string Describe(const std::string& server, const ProvedIdentity& identity) {
  const protocol::IdentityDocument& d = identity.document;
  std::string text;
  const auto line = [&text](std::string_view name, const std::string& value) {
    text += "  " + std::string(name) + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') +
            Clean(value) + "\n";
  };
  text += server + "\n";
  line("identity", ToHex(identity.hash));
  line("machine", identity.verdict.measurement + " (" +
                      std::string(attest::TeeName(identity.verdict.tee)) + ", root " +
                      identity.verdict.root + ")");
  line("identity key", ToHex(crypto::KeyId(d.identity_key)));
  line("TLS key", ToHex(d.tls_key));
  line("root key", d.root_key_source);
  line("accepted roots", Join(d.roots));
  line("chain", std::to_string(d.chain_id) + ", " + d.finality + ", " + Join(d.chain_endpoints));
  line("configuration", ToHex(d.configuration));
  for (const std::string& part : identity.development) line("DEVELOPMENT", part);
  return text;
}

json::object DescribeJson(const std::string& server, const ProvedIdentity& identity) {
  const protocol::IdentityDocument& d = identity.document;
  return {{"server", server},
          {"identity", ToHex(identity.hash)},
          {"measurement", identity.verdict.measurement},
          {"tls_key", ToHex(d.tls_key)},
          {"root_key_source", d.root_key_source},
          {"chain_id", d.chain_id},
          {"development", json::array(identity.development.begin(), identity.development.end())}};
}

// The file anew: an engine of the same URL or identity is replaced.
Result<> Pin(const Settings& settings, const manifest::TrustedCced& engine) {
  ASSIGN_OR_RETURN(manifest::Trust trust, LoadTrust(settings));
  std::erase_if(trust.engines, [&](const manifest::TrustedCced& other) {
    return other.url == engine.url || other.identity == engine.identity;
  });
  trust.engines.push_back(engine);
  std::string text = "# The engines that this client trusts; written by cce trust add.\n";
  for (const manifest::TrustedCced& one : trust.engines) {
    text += "\n" + manifest::TrustToToml(one);
  }
  // Read back before it is written: two engines of one name would make the file useless.
  ASSIGN_OR_RETURN(const Document document, ParseToml(text, settings.trust));
  TRY(manifest::ReadTrust(document));
  const std::string folder = std::filesystem::path(settings.trust).parent_path().string();
  if (!folder.empty() && !std::filesystem::exists(folder)) TRY(MakeFolders(folder, 0700));
  return WriteFileAtomic(settings.trust, AsBytes(text), 0600);
}

Result<Answer> Add(const Settings& settings, const TrustOptions& options) {
  ASSIGN_OR_RETURN(const std::string server, NeedServer(settings));
  ASSIGN_OR_RETURN(const Document document, LoadToml(options.attestation));
  manifest::TrustedCced engine;
  ASSIGN_OR_RETURN(engine.attestation, attest::ReadPolicy(document));
  ASSIGN_OR_RETURN(const ProvedIdentity identity, ProveIdentity(server, engine.attestation));
  const std::string text = Describe(server, identity);
  TRY(CheckDevelopment(identity, settings));
  if (!settings.yes) {
    Notice(text);
    TRY(Confirm(settings, "Trust this engine from now on?"));
  }
  engine.name = options.name.empty() ? AuthorityOf(server) : options.name;
  engine.url = server;
  engine.identity = identity.hash;
  engine.identity_key = identity.document.identity_key;
  TRY(Pin(settings, engine));
  Answer answer{text + "trusted from now on, in " + settings.trust + "\n",
                DescribeJson(server, identity)};
  answer.data["trust"] = settings.trust;
  return answer;
}

Result<Answer> ShowTrust(const Settings& settings) {
  ASSIGN_OR_RETURN(const manifest::Trust trust, LoadTrust(settings));
  Answer answer;
  json::array engines;
  for (const manifest::TrustedCced& engine : trust.engines) {
    answer.text +=
        engine.name + "  " + engine.url + "\n  identity " + ToHex(engine.identity) + "\n";
    engines.push_back(json::object{
        {"name", engine.name}, {"url", engine.url}, {"identity", ToHex(engine.identity)}});
  }
  if (trust.engines.empty()) answer.text = settings.trust + " names no engine\n";
  answer.data = {{"trust", settings.trust}, {"engines", std::move(engines)}};
  return answer;
}

}  // namespace

void AddTrustCommands(args::Command& app, const GlobalOptions& global, int& exit_code) {
  auto options = std::make_shared<TrustOptions>();
  args::Command* trust = app.AddCommand("trust", "decide which engine (cced) to trust");
  trust->RequireCommand();
  args::Command* add = trust->AddCommand(
      "add", "verify an engine's attestation, show what it is, and pin its identity");
  add->AddOption("--attestation", options->attestation,
                 "policy (TOML) that the engine's own evidence must satisfy")
      ->Required();
  add->AddOption("--name", options->name, "a name for people");
  add->Footer(
      "Example:\n  cce trust add --server https://cced.example:8443 --attestation cced.toml");
  Bind(*add, global, exit_code, [options](const Settings& s) { return Add(s, *options); });
  args::Command* show = trust->AddCommand("show", "list the engines that are trusted");
  show->Footer("Example:\n  cce trust show");
  Bind(*show, global, exit_code, ShowTrust);
}

}  // namespace cce::cli
