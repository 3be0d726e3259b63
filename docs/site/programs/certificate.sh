openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=server \
    -addext subjectAltName=DNS:localhost -keyout server.pem -out ca.pem
cat ca.pem >> server.pem
