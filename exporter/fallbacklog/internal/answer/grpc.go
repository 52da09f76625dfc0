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
	n := noteFrom(ctx)
	if n == nil {
		return err
	}
	if err != nil {
		n.refused(Refusal{Err: err})
		return err
	}
	n.accepted(false)
	// pdata's messages have no exported type, but they have methods to marshal themselves.
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
