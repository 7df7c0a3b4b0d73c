"""The answer of an echo server, as long as the classification of one sentence."""

ANSWER = (
    b'{"model":{"name":"sentiment","version":"20260101t000000000-00000000"},"results":[{"label":'
    b'"positive","scores":[{"label":"positive","score":0.8831413417663031},{"label":"neutral",'
    b'"score":0.0901921930043115},{"label":"negative","score":0.0266664652293854}],"polarity":'
    b'0.8564748765369177,"usage":{"characters":90,"tokens":19,"tokens_used":19,"unknown_tokens":0,'
    b'"truncated":false}}],"usage":{"texts":1,"characters":90,"tokens":19,"tokens_used":19,'
    b'"unknown_tokens":0,"truncated_texts":0}}'
)
