module kq.test/go_bench

go 1.23

require github.com/kq-stream/kq/bindings/go v0.0.0

replace github.com/kq-stream/kq/bindings/go => ../../../../bindings/go
