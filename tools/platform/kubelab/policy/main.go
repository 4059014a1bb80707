// policy enforces the cluster's NetworkPolicies on one node: the first packet of each connection of a pod
// comes to it through NFQUEUE and gets its verdict from sigs.k8s.io/kube-network-policies. What is
// established is not asked about again, as with most network plugins. It also answers for the names of Services.
package main

import (
	"context"
	"flag"
	"os/signal"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of an account that may list and watch NetworkPolicies, Namespaces, Pods and EndpointSlices")
	node := flag.String("node", "", "name of this node")
	queue := flag.Int("queue", 100, "number of the NFQUEUE that iptables sends packets to")
	names := flag.String("names", "", "address of this node at which pods ask for the names of Services")
	klog.InitFlags(nil)
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		klog.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client, factory.Networking().V1().NetworkPolicies(),
		factory.Core().V1().Namespaces(), factory.Core().V1().Pods(), nil, nil, nil, nil,
		networkpolicy.Config{QueueID: *queue, NodeName: *node})
	if err != nil {
		klog.Fatal(err)
	}
	slices := factory.Discovery().V1().EndpointSlices()
	slices.Informer()
	factory.Start(ctx.Done())
	go answerNames(*names, slices.Lister())
	if err := controller.Run(ctx); err != nil {
		klog.Fatal(err)
	}
}
