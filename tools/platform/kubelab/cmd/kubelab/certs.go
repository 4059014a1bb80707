package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const lifetime = 10 * 365 * 24 * time.Hour

// identity is one key pair: who it is for, and the addresses it may serve under.
type identity struct {
	name, commonName, group string
	dns                     []string
	ips                     []string
}

var identities = []identity{
	{name: "apiserver", commonName: "kube-apiserver", dns: []string{"localhost", "kubernetes.default.svc"}, ips: []string{"127.0.0.1", "10.96.0.1"}},
	{name: "admin", commonName: "admin", group: "system:masters"},
	{name: "kcm", commonName: "system:kube-controller-manager"},
	{name: "scheduler", commonName: "system:kube-scheduler"},
	{name: "kwok", commonName: "kwok", group: "system:masters"},
	{name: "kubelet-client", commonName: "kube-apiserver-kubelet-client", group: "system:masters"},
	{name: "node", commonName: "system:node:localhost", group: "system:nodes", dns: []string{"localhost"}, ips: []string{"127.0.0.1"}},
}

// certsCommand fills a folder with a CA, a certificate and kubeconfig for each part of the control plane, and
// the key that signs service account tokens. Keys that are there are kept, so a cluster can be started again;
// kubeconfigs are always written, since the port may be another one.
func certsCommand() *cobra.Command {
	var port int
	c := &cobra.Command{Use: "certs DIR --port N", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		return makeCerts(args[0], fmt.Sprintf("https://127.0.0.1:%d", port))
	}}
	c.Flags().IntVar(&port, "port", 6443, "port of the API server")
	return c
}

func makeCerts(dir, server string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "sa.key")); errors.Is(err, fs.ErrNotExist) {
		if err := makeKeys(dir); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return err
	}
	for _, id := range identities {
		cert, err := os.ReadFile(filepath.Join(dir, id.name+".crt"))
		if err != nil {
			return err
		}
		key, err := os.ReadFile(filepath.Join(dir, id.name+".key"))
		if err != nil {
			return err
		}
		config := clientcmdapi.NewConfig()
		config.Clusters["firebreak"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
		config.AuthInfos[id.name] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
		config.Contexts["firebreak"] = &clientcmdapi.Context{Cluster: "firebreak", AuthInfo: id.name}
		config.CurrentContext = "firebreak"
		if err := clientcmd.WriteToFile(*config, filepath.Join(dir, id.name+".kubeconfig")); err != nil {
			return err
		}
	}
	return nil
}

// makeKeys writes sa.key last: its presence says that the folder is complete.
func makeKeys(dir string) error {
	caKey, err := newKey()
	if err != nil {
		return err
	}
	ca, err := template("firebreak-dev-ca", "")
	if err != nil {
		return err
	}
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return err
	}
	if err := writePair(dir, "ca", caDER, caKey); err != nil {
		return err
	}
	for _, id := range identities {
		key, err := newKey()
		if err != nil {
			return err
		}
		cert, err := template(id.commonName, id.group)
		if err != nil {
			return err
		}
		cert.KeyUsage = x509.KeyUsageDigitalSignature
		cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		cert.DNSNames = id.dns
		for _, ip := range id.ips {
			cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(ip))
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
		if err != nil {
			return err
		}
		if err := writePair(dir, id.name, der, key); err != nil {
			return err
		}
	}
	sa, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&sa.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, "sa.pub"), "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "sa.key"), sa)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func template(commonName, group string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{CommonName: commonName}
	if group != "" {
		subject.Organization = []string{group}
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime)}, nil
}

func writePair(dir, name string, der []byte, key *ecdsa.PrivateKey) error {
	if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, name+".key"), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
