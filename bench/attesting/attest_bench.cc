// attest-bench MANIFEST: verifies what the manifest names, over and over, on command.
//
// MANIFEST is JSON: {"cases": {NAME: {"kind": "tdx", "evidence", "tcb_info", "qe_identity",
// "pck_crl", "root_crl", "chain": [files], "time"} or {"kind": "snp", "evidence", "vek", "ask",
// "ark", "crl", "time"}}}. All files are read before the first measurement.
//
// Each line of the input is a command, answered by one line of JSON:
//   run TASK SECONDS    {"count", "seconds"}: how often the task was done, in CPU time of the
//   process needs TASK          {"p256", "p384", "rsa4096"}: signature verifications of doing it
//   once
// Tasks: NAME/cold and NAME/warm for each case; p256, p384 and rsa4096: one bare verification.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <dlfcn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "attest/collateral.h"
#include "attest/verify.h"
#include "base/file.h"
#include "base/json.h"

namespace {

using cce::Bytes;
using cce::ByteView;
using cce::Result;
namespace attest = cce::attest;
namespace json = cce::json;

constexpr size_t kMaxFile = 8 << 20;

[[noreturn]] void Stop(const std::string& why) {
  std::fprintf(stderr, "attest-bench: %s\n", why.c_str());
  std::exit(2);
}

template <typename T>
T OrStop(Result<T> result) {
  if (!result) Stop(cce::FormatError(result.error()));
  return std::move(*result);
}

// -- Verifications, counted by standing in front of OpenSSL's own functions

struct Needs {
  int p256 = 0;
  int p384 = 0;
  int rsa4096 = 0;
};
Needs counted;
bool inside = false;  // OpenSSL's functions call one another

void CountEc(const EC_KEY* key) {
  if (inside) return;
  ++(EC_GROUP_get_degree(EC_KEY_get0_group(key)) == 256 ? counted.p256 : counted.p384);
}

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int ECDSA_verify(int type, const unsigned char* digest, int digest_size,
                            const unsigned char* signature, int size, EC_KEY* key) {
  static const auto real = Real<decltype(&ECDSA_verify)>("ECDSA_verify");
  CountEc(key);
  inside = true;
  const int result = real(type, digest, digest_size, signature, size, key);
  inside = false;
  return result;
}

extern "C" int ECDSA_do_verify(const unsigned char* digest, int digest_size,
                               const ECDSA_SIG* signature, EC_KEY* key) {
  static const auto real = Real<decltype(&ECDSA_do_verify)>("ECDSA_do_verify");
  CountEc(key);
  return real(digest, digest_size, signature, key);
}

extern "C" int RSA_public_decrypt(int size, const unsigned char* from, unsigned char* to, RSA* key,
                                  int padding) {
  static const auto real = Real<decltype(&RSA_public_decrypt)>("RSA_public_decrypt");
  ++counted.rsa4096;
  return real(size, from, to, key, padding);
}

namespace {

// -- The floor: one bare verification with a key, a context and a digest that are ready

class Bare {
 public:
  Bare(EVP_PKEY* key, const EVP_MD* md, bool pss)
      : digest_(pss || md == EVP_sha384() ? 48 : 32, 7) {
    EVP_PKEY_CTX* const signing = Context(key, md, pss, EVP_PKEY_sign_init);
    size_t size = 0;
    if (EVP_PKEY_sign(signing, nullptr, &size, digest_.data(), digest_.size()) != 1) Stop("sign");
    signature_.resize(size);
    if (EVP_PKEY_sign(signing, signature_.data(), &size, digest_.data(), digest_.size()) != 1) {
      Stop("sign");
    }
    signature_.resize(size);
    EVP_PKEY_CTX_free(signing);
    context_ = Context(key, md, pss, EVP_PKEY_verify_init);
  }
  void operator()() const {
    if (EVP_PKEY_verify(context_, signature_.data(), signature_.size(), digest_.data(),
                        digest_.size()) != 1) {
      Stop("a bare verification failed");
    }
  }

 private:
  static EVP_PKEY_CTX* Context(EVP_PKEY* key, const EVP_MD* md, bool pss,
                               int (*init)(EVP_PKEY_CTX*)) {
    EVP_PKEY_CTX* const out = EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr);
    bool ok = out != nullptr && init(out) == 1;
    if (pss) {
      ok = ok && EVP_PKEY_CTX_set_rsa_padding(out, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(out, md) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(out, md) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(out, 48) == 1;
    }
    if (!ok) Stop("a key cannot be used");
    return out;
  }
  Bytes digest_;
  Bytes signature_;
  EVP_PKEY_CTX* context_ = nullptr;  // lives as long as the program
};

// -- Cases

attest::Collateral ReadSnp(const json::object& item) {
  attest::Collateral out;
  attest::SnpCollateral& snp = out.snp.emplace();
  const auto file = [&](const char* key) {
    return OrStop(cce::ReadFile(std::string(item.at(key).as_string()), kMaxFile));
  };
  snp.vek = file("vek");
  snp.ask = file("ask");
  snp.ark = file("ark");
  snp.crl = file("crl");
  return out;
}

// What a service answers, as it answers it: taking it apart belongs to a cold verification.
struct Responses {
  std::string tcb_info, qe_identity, chain;
  Bytes pck_crl, root_crl;

  explicit Responses(const json::object& item) {
    const auto file = [](const json::value& name) {
      return OrStop(cce::ReadFile(std::string(name.as_string()), kMaxFile));
    };
    tcb_info = cce::AsText(file(item.at("tcb_info")));
    qe_identity = cce::AsText(file(item.at("qe_identity")));
    pck_crl = file(item.at("pck_crl"));
    root_crl = file(item.at("root_crl"));
    for (const json::value& name : item.at("chain").as_array()) chain += cce::AsText(file(name));
  }
  attest::Collateral Collateral() const {
    attest::TdxParts parts;
    parts.tcb_info = tcb_info;
    parts.qe_identity = qe_identity;
    parts.pck_crl = pck_crl;
    parts.root_crl = root_crl;
    parts.tcb_info_chain = chain;
    attest::Collateral out;
    out.tdx = OrStop(attest::MakeTdxCollateral(parts));
    return out;
  }
};

using Task = std::function<void()>;

void MustAccept(const attest::Verdict& verdict) {
  if (!verdict.accepted) Stop("refused:\n" + attest::ToText(verdict, false));
}

// Cold starts from the bytes of evidence and collateral and keeps nothing; warm starts from the
// evidence's bytes, with collateral in memory and a verifier that has seen it.
void AddCase(const std::string& name, const json::object& item,
             std::map<std::string, Task>& tasks) {
  const auto evidence = std::make_shared<const Bytes>(
      OrStop(cce::ReadFile(std::string(item.at("evidence").as_string()), kMaxFile)));
  const cce::UnixSeconds time = item.at("time").as_int64();
  const auto policy = std::make_shared<const attest::Policy>(attest::StrictPolicy());
  const attest::ExpectedBinding none = attest::ExpectedBinding::WithoutReportData();
  std::function<attest::Collateral()> fresh;
  if (item.at("kind").as_string() == "tdx") {
    fresh = [responses = std::make_shared<const Responses>(item)] {
      return responses->Collateral();
    };
  } else {
    fresh = [collateral = ReadSnp(item)] { return collateral; };
  }
  tasks[name + "/cold"] = [=] {
    MustAccept(attest::VerifyBytes(*evidence, fresh(), *policy, time, none));
  };
  const auto verifier = std::make_shared<const attest::Verifier>();
  const auto kept = std::make_shared<const attest::Collateral>(fresh());
  tasks[name + "/warm"] = [=] {
    const attest::Evidence parsed = OrStop(attest::ParseEvidence(*evidence));
    MustAccept(verifier->Verify(parsed, *kept, *policy, time, none));
  };
}

std::map<std::string, Task> ReadTasks(const char* manifest) {
  std::map<std::string, Task> out;
  const std::string text = OrStop(cce::ReadTextFile(manifest, kMaxFile));
  const json::object root = OrStop(cce::ParseJsonDocument(text, manifest)).root;
  for (const auto& member : root.at("cases").as_object()) {
    AddCase(std::string(member.key()), member.value().as_object(), out);
  }
  out["p256"] = Bare(EVP_EC_gen("P-256"), EVP_sha256(), false);
  out["p384"] = Bare(EVP_EC_gen("P-384"), EVP_sha384(), false);
  out["rsa4096"] = Bare(EVP_RSA_gen(4096), EVP_sha384(), true);
  return out;
}

// -- Commands

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void RunFor(const Task& task, double seconds) {
  task();  // warm it is only from the second time on
  const double begin = CpuSeconds();
  size_t count = 0;
  double elapsed = 0;
  do {
    for (int i = 0; i < 8; ++i) task();
    count += 8;
    elapsed = CpuSeconds() - begin;
  } while (elapsed < seconds);
  std::cout << cce::ToJson(json::object{{"count", count}, {"seconds", elapsed}}) << std::endl;
}

void ShowNeeds(const Task& task) {
  task();
  counted = {};
  task();
  std::cout << cce::ToJson(json::object{
                   {"p256", counted.p256}, {"p384", counted.p384}, {"rsa4096", counted.rsa4096}})
            << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: attest-bench MANIFEST < commands\n", stderr);
    return 2;
  }
  const std::map<std::string, Task> tasks = ReadTasks(argv[1]);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, name;
    double seconds = 0;
    words >> command >> name;
    const auto task = tasks.find(name);
    if (task == tasks.end()) Stop("no task '" + name + "'");
    if (command == "run" && words >> seconds) {
      RunFor(task->second, seconds);
    } else if (command == "needs") {
      ShowNeeds(task->second);
    } else {
      Stop("no command '" + line + "'");
    }
  }
  return 0;
}
