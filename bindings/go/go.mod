module github.com/kq-stream/kq/bindings/go

go 1.23
