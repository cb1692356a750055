// attest-peers MANIFEST: what attest-bench does, with Google's verifiers for Go. Same manifest, same commands
// ("run TASK SECONDS", answered by {"count", "seconds"}), CPU time of the process with its garbage collector.
//
// What they check here: go-tdx-guest the quote, PCK chain, CRLs, TCB info and QE identity, with both of its switches
// on (GetCollateral, CheckRevocations) and a getter that answers from memory; then the TD's attributes and XFAM
// (validate). It has nothing to remember with: each verification parses all of it. go-sev-guest the report, the chain
// and the CRL, then its policy (validate); ASK and ARK are parsed once, ahead of the measurement, and the CRL is dropped
// before each verification, since it would keep it.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	sevabi "github.com/google/go-sev-guest/abi"
	sevpb "github.com/google/go-sev-guest/proto/sevsnp"
	sevvalidate "github.com/google/go-sev-guest/validate"
	sevverify "github.com/google/go-sev-guest/verify"
	sevtrust "github.com/google/go-sev-guest/verify/trust"
	tdxvalidate "github.com/google/go-tdx-guest/validate"
	tdxverify "github.com/google/go-tdx-guest/verify"
)

type testCase struct {
	Kind       string
	Evidence   string
	TcbInfo    string   `json:"tcb_info"`
	QeIdentity string   `json:"qe_identity"`
	PckCrl     string   `json:"pck_crl"`
	RootCrl    string   `json:"root_crl"`
	Chain      []string `json:"chain"`
	PckChain   []string `json:"pck_crl_chain"`
	Vek        string
	Ask        string
	Ark        string
	Crl        string
	Time       int64
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "attest-peers:", err)
	os.Exit(2)
}

func read(path string) []byte {
	bytes, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	return bytes
}

func readAll(paths []string) string {
	out := ""
	for _, path := range paths {
		out += string(read(path))
	}
	return out
}

// tdxGetter answers as Intel's service does, from memory.
type tdxGetter struct {
	tcbInfo, qeIdentity, pckCrl, rootCrl []byte
	chain, pckChain                      string // URL-encoded
}

func (g *tdxGetter) Get(address string) (map[string][]string, []byte, error) {
	switch {
	case strings.Contains(address, "/pckcrl"):
		return map[string][]string{"Sgx-Pck-Crl-Issuer-Chain": {g.pckChain}}, g.pckCrl, nil
	case strings.Contains(address, "/tcb?"):
		return map[string][]string{"Tcb-Info-Issuer-Chain": {g.chain}}, g.tcbInfo, nil
	case strings.Contains(address, "/qe/identity"):
		return map[string][]string{"Sgx-Enclave-Identity-Issuer-Chain": {g.chain}}, g.qeIdentity, nil
	case strings.HasSuffix(address, ".der"):
		return nil, g.rootCrl, nil
	}
	return nil, nil, fmt.Errorf("nothing is fetched: %s", address)
}

func tdxTask(c testCase) func() error {
	quote := read(c.Evidence)
	getter := &tdxGetter{tcbInfo: read(c.TcbInfo), qeIdentity: read(c.QeIdentity), pckCrl: read(c.PckCrl),
		rootCrl: read(c.RootCrl), chain: url.QueryEscape(readAll(c.Chain)), pckChain: url.QueryEscape(readAll(c.PckChain))}
	now := time.Unix(c.Time, 0)
	roots := x509.NewCertPool() // Intel's: given, since the verifier says so in its log each time where it takes its own
	if !roots.AppendCertsFromPEM(read(c.Chain[len(c.Chain)-1])) {
		fail(fmt.Errorf("no root certificate"))
	}
	return func() error {
		options := &tdxverify.Options{GetCollateral: true, CheckRevocations: true, Getter: getter, Now: now,
			TrustedRoots: roots}
		if err := tdxverify.RawTdxQuote(quote, options); err != nil {
			return err
		}
		return tdxvalidate.RawTdxQuote(quote, &tdxvalidate.Options{})
	}
}

// snpGetter answers as AMD's service does: the CRL alone is asked for.
type snpGetter struct{ crl []byte }

func (g snpGetter) Get(address string) ([]byte, error) {
	if strings.HasSuffix(address, "/crl") {
		return g.crl, nil
	}
	return nil, fmt.Errorf("nothing is fetched: %s", address)
}

func snpTask(c testCase) func() error {
	raw, vek, ask, ark := read(c.Evidence), read(c.Vek), read(c.Ask), read(c.Ark)
	getter := snpGetter{read(c.Crl)}
	roots := &sevtrust.AMDRootCerts{}
	if err := roots.Decode(ask, ark); err != nil {
		fail(err)
	}
	product := "Milan"
	roots.ProductLine = product
	trusted := map[string][]*sevtrust.AMDRootCerts{product: {roots}}
	now := time.Unix(c.Time, 0)
	return func() error {
		report, err := sevabi.ReportToProto(raw)
		if err != nil {
			return err
		}
		attestation := &sevpb.Attestation{Report: report, CertificateChain: &sevpb.CertificateChain{
			VcekCert: vek, AskCert: ask, ArkCert: ark}}
		roots.CRL = nil
		options := &sevverify.Options{CheckRevocations: true, DisableCertFetching: true, Getter: getter, Now: now,
			TrustedRoots: trusted}
		if err := sevverify.SnpAttestation(attestation, options); err != nil {
			return err
		}
		return sevvalidate.SnpAttestation(attestation, &sevvalidate.Options{
			GuestPolicy: sevabi.SnpPolicy{SMT: true}, PermitProvisionalFirmware: true})
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func runFor(task func() error, seconds float64) {
	runtime.GC()
	begin := cpuSeconds()
	count, elapsed := 0, 0.0
	for elapsed < seconds {
		for i := 0; i < 8; i++ {
			if err := task(); err != nil {
				fail(err)
			}
		}
		count += 8
		elapsed = cpuSeconds() - begin
	}
	fmt.Printf("{\"count\": %d, \"seconds\": %f}\n", count, elapsed)
}

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: attest-peers MANIFEST < commands"))
	}
	runtime.GOMAXPROCS(1)
	var manifest struct{ Cases map[string]testCase }
	if err := json.Unmarshal(read(os.Args[1]), &manifest); err != nil {
		fail(err)
	}
	tasks := map[string]func() error{}
	for name, c := range manifest.Cases {
		if c.Kind == "tdx" {
			tasks[name+"/cold"] = tdxTask(c)
		} else {
			tasks[name+"/cold"] = snpTask(c)
		}
	}
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		var name string
		var seconds float64
		if _, err := fmt.Sscanf(input.Text(), "run %s %g", &name, &seconds); err != nil || tasks[name] == nil {
			fail(fmt.Errorf("no command '%s'", input.Text()))
		}
		runFor(tasks[name], seconds)
	}
}
