// Command pulumi-resource-kubernetes answers Pulumi's engine as a Kubernetes plugin without a cluster: it echoes.
//
// It exists for the bench: every program under measurement pays the same, smallest possible price for its provider, so
// that what differs is the program, the SDK or the engine. It keeps no state, never waits, never refuses.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// version is what the Python SDK of the bench asks for; an older answer makes the engine warn.
const version = "4.34.2"

// maxMessage is the engine's own limit (sdk/go/common/util/rpcutil), as gRPC's default of 4 MB is below it.
const maxMessage = 400 * 1024 * 1024

type echo struct {
	pulumirpc.UnimplementedResourceProviderServer
}

func (echo) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

func (echo) CheckConfig(_ context.Context, in *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: in.GetNews()}, nil
}

func (echo) DiffConfig(_ context.Context, in *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return diff(in), nil
}

func (echo) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

func (echo) Check(_ context.Context, in *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: in.GetNews()}, nil
}

func (echo) Diff(_ context.Context, in *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return diff(in), nil
}

func (echo) Create(_ context.Context, in *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	return &pulumirpc.CreateResponse{Id: identity(in.GetProperties()), Properties: in.GetProperties()}, nil
}

func (echo) Update(_ context.Context, in *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	return &pulumirpc.UpdateResponse{Properties: in.GetNews()}, nil
}

func (echo) Read(_ context.Context, in *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: in.GetId(), Properties: in.GetProperties(), Inputs: in.GetInputs()}, nil
}

func (echo) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (echo) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// diff names the top-level inputs that changed.
func diff(in *pulumirpc.DiffRequest) *pulumirpc.DiffResponse {
	olds, news := in.GetOldInputs().GetFields(), in.GetNews().GetFields()
	answer := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	for key, value := range news {
		if !proto.Equal(olds[key], value) {
			answer.Diffs = append(answer.Diffs, key)
		}
	}
	for key := range olds {
		if _, kept := news[key]; !kept {
			answer.Diffs = append(answer.Diffs, key)
		}
	}
	if len(answer.Diffs) > 0 {
		answer.Changes = pulumirpc.DiffResponse_DIFF_SOME
	}
	return answer
}

// identity is the official plugin's id of an object: `namespace/name`, or `name`.
func identity(object *structpb.Struct) string {
	metadata := object.GetFields()["metadata"].GetStructValue().GetFields()
	name, namespace := metadata["name"].GetStringValue(), metadata["namespace"].GetStringValue()
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	pulumirpc.RegisterResourceProviderServer(server, echo{})
	// The engine reads the port from the first line and ends the process with a signal.
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
