const untrusted = 'no trusted authority has signed its certificate: name its authority with caFile';
/**
 * Codes that Node, Kafka brokers and S3 report without an explanation. https://nodejs.org/api/errors.html,
 * https://nodejs.org/api/tls.html#x509-certificate-error-codes, https://kafka.apache.org/protocol#protocol_error_codes,
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing is listening at that address and port',
  ECONNRESET: 'the other side closed the connection',
  EAI_AGAIN: 'the name server does not answer',
  ENOTFOUND: 'there is no host with that name',
  EHOSTUNREACH: 'there is no route to that host',
  ENETUNREACH: 'there is no route to that network',
  ETIMEDOUT: 'the connection timed out',
  EPROTO: 'TLS could not be negotiated: perhaps that port does not speak TLS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on that port',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS on that port',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it requires a client certificate: set certFile and keyFile',
  HPE_INVALID_CONSTANT: 'the server there does not speak HTTP',
  UNKNOWN_TOPIC_OR_PARTITION: 'there is no such topic, or the account may not see it',
  TOPIC_AUTHORIZATION_FAILED: 'the account may not write to the topic',
  SASL_AUTHENTICATION_FAILED: 'the account or its password is wrong',
  NoSuchBucket: 'there is no such bucket',
  InvalidAccessKeyId: 'the access key is unknown there',
  SignatureDoesNotMatch: 'the secret access key is wrong',
  AccessDenied: 'the access key may not write there',
};

/** Explains a failed delivery to people: the meaning of a code comes before it. */
export function problemText(reason: string): string {
  const code = /[A-Z]\w{3,}(?=$|, status \d+$)/.exec(reason)?.[0] ?? '';
  return Object.hasOwn(meanings, code) ? `${meanings[code]} (${reason})` : reason;
}
