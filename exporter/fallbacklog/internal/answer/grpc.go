package answer

import (
	"context"

	"google.golang.org/grpc"
)

// emptyAnswer is the size of an answer without partial success: tag and length of an empty field.
const emptyAnswer = 2

var _ grpc.UnaryClientInterceptor = Intercept

// Intercept notes the outcome of a gRPC call.
func Intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	n := from(ctx)
	if n == nil {
		return err
	}
	if err != nil {
		n.refused(Refusal{Err: err})
		return err
	}
	n.took(false)
	// pdata's messages cannot be named here, but they say how they look on the wire.
	m, ok := reply.(interface {
		SizeProto() int
		MarshalProto(buf []byte) int
	})
	if !ok {
		return nil
	}
	if size := m.SizeProto(); size > emptyAnswer {
		buf := make([]byte, size)
		n.partial(rejectedProto(buf[:m.MarshalProto(buf)]))
	}
	return nil
}
