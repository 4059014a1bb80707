package main

import (
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	listers "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/klog/v2"
)

// answerNames answers for SERVICE.NAMESPACE.svc.cluster.local with the addresses of the pods that are ready, as the cluster's DNS does for a headless
// Service: the lab has no kube-proxy, so an address of a Service's own would lead nowhere.
// https://github.com/kubernetes/dns/blob/master/docs/specification.md
func answerNames(address string, slices listers.EndpointSliceLister) {
	server, err := net.ListenPacket("udp", net.JoinHostPort(address, "53"))
	if err != nil {
		klog.Fatal(err)
	}
	for packet := make([]byte, 1232); ; {
		size, from, err := server.ReadFrom(packet)
		if err != nil {
			klog.Fatal(err)
		}
		answer, err := answerTo(packet[:size], slices)
		if err != nil {
			klog.Warning(err)
			continue
		}
		if _, err := server.WriteTo(answer, from); err != nil {
			klog.Warning(err)
		}
	}
}

func answerTo(query []byte, slices listers.EndpointSliceLister) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired},
		Questions: []dnsmessage.Question{question},
	}
	addresses, known := addressesOf(question.Name.String(), slices)
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	if question.Type == dnsmessage.TypeA {
		for _, address := range addresses {
			resource := dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 1}
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: resource, Body: &dnsmessage.AResource{A: address}})
		}
	}
	return reply.Pack()
}

// Whether there is a Service of this name, and where its ready pods are.
func addressesOf(name string, slices listers.EndpointSliceLister) (addresses [][4]byte, known bool) {
	parts := strings.Split(strings.ToLower(name), ".")
	if len(parts) != 6 || strings.Join(parts[2:], ".") != "svc.cluster.local." {
		return nil, false
	}
	found, err := slices.EndpointSlices(parts[1]).List(labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: parts[0]}))
	if err != nil {
		klog.Warning(err)
	}
	for _, slice := range found {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
				continue
			}
			for _, text := range endpoint.Addresses {
				if ip := net.ParseIP(text).To4(); ip != nil {
					addresses = append(addresses, [4]byte(ip))
				}
			}
		}
	}
	return addresses, len(found) > 0
}
